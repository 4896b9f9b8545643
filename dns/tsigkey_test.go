package dns

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseTSIGKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]TSIGKey{
		"key.example:c2VjcmV0":              {MustParseName("key.example."), HMACSHA256, []byte("secret")},
		"hmac-sha512:key.example.:c2VjcmV0": {MustParseName("key.example."), HMACSHA512, []byte("secret")},
		"HMAC-SHA1.:K:c2VjcmV0":             {MustParseName("K."), HMACSHA1, []byte("secret")},
	} {
		if got, err := ParseTSIGKey(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                               "want [algorithm:]name:secret",
		"name":                           "want [algorithm:]name:secret",
		"a:b:c:d":                        "want [algorithm:]name:secret",
		"hmac-md5:k:c2VjcmV0":            `algorithm "hmac-md5" is not supported`,
		"k:c2VjcmV0!":                    "the secret is not base64",
		"k:":                             "there is no secret",
		".:c2VjcmV0":                     "is no name for one",
		"a..b:c2VjcmV0":                  "empty label",
		"k:" + base64Of(MaxTSIGSecret+1): "the secret has 513 octets, at most 512",
	} {
		if _, err := ParseTSIGKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		} else if strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("the secret is in %v", err)
		}
	}
	if _, err := ParseTSIGKey("k:" + base64Of(MaxTSIGSecret)); err != nil {
		t.Errorf("the longest secret: %v", err)
	}
}

func base64Of(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }

// aKeyFile is what tsig-keygen wrote, with more around it.
const aKeyFile = `# two keys
key "test.key" {
	algorithm hmac-sha256;
	secret "b14ZlncIm76c9FY884mdKEwXHC/jz5kLVynEF2VClpU=";
};
/* the other
   one */ key other. { secret c2VjcmV0; algorithm hmac-sha512 ; } ; // at the end`

func TestParseTSIGKeys(t *testing.T) {
	t.Parallel()
	keys, err := ParseTSIGKeys(aKeyFile)
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	if k := keys[0]; k.String() != "hmac-sha256:test.key." || len(k.Secret) != 32 || k.Secret[0] != 0x6f {
		t.Errorf("%v", k)
	}
	if k := keys[1]; k.String() != "hmac-sha512:other." || string(k.Secret) != "secret" {
		t.Errorf("%v", k)
	}
	const want = "key \"test.key\" {\n\talgorithm hmac-sha256;\n\tsecret \"b14ZlncIm76c9FY884mdKEwXHC/jz5kLVynEF2VClpU=\";\n};\n"
	if got := keys[0].KeyFile(); got != want {
		t.Errorf("%s", got)
	}
	for _, tt := range []struct{ text, want string }{
		{"", "there is no key"},
		{"# nothing", "there is no key"},
		{"\n\nzone", "line 3: want a key statement"},
		{"key", "line 1: want key"},
		{"key k", "line 1: want key"},
		{"key k {", "line 1: want key"},
		{"key k { secret c2VjcmV0; }", "want key"},
		{"key k { secret c2VjcmV0; };\nkey K. { secret c2VjcmV0; };", "line 2: a second key K."},
		{"key k { secret c2VjcmV0 };", "want key"},
		{"key k { secrets c2VjcmV0; };", "want key"},
		{"key k { };", "there is no secret"},
		{"key k { algorithm hmac-md5; secret c2VjcmV0; };", "not supported"},
		{"key \"k { secret c2VjcmV0; };", "quoted string"},
		{"key \"\" { secret c2VjcmV0; };", "quoted string"},
		{"/* key", "a comment has no end"},
		{"key k /", "want key"},
	} {
		if _, err := ParseTSIGKeys(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
	file := keys[0].KeyFile()
	if _, err := ParseTSIGKeys(file + strings.Repeat(" ", MaxTSIGKeyFile-len(file))); err != nil {
		t.Errorf("the longest file: %v", err)
	}
	if _, err := ParseTSIGKeys(file + strings.Repeat(" ", MaxTSIGKeyFile-len(file)+1)); err == nil {
		t.Error("a file of one octet more")
	}
}

// TestTSIGKeysComeBack: what is written is read again.
func TestTSIGKeysComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := TSIGKey{
			Name:      MustParseName(rapid.StringMatching(`[a-z0-9-]{1,20}(\.[a-z]{1,9}){0,3}\.`).Draw(t, "name")),
			Algorithm: rapid.SampledFrom(tsigAlgorithms).Draw(t, "algorithm"),
			Secret:    rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "secret"),
		}
		got, err := ParseTSIGKeys(want.KeyFile())
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
		short := string(want.Algorithm) + ":" + want.Name.String() + ":" + base64.StdEncoding.EncodeToString(want.Secret)
		if k, err := ParseTSIGKey(short); err != nil || !reflect.DeepEqual(k, want) {
			t.Fatalf("%v, %v", k, err)
		}
	})
}

func FuzzParseTSIGKeys(f *testing.F) {
	f.Add(aKeyFile)
	f.Add("key k { secret c2VjcmV0; };")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseTSIGKeys(text)
		if err != nil {
			return
		}
		var file strings.Builder
		for _, k := range keys {
			if err := k.Valid(); err != nil {
				t.Fatal(err)
			}
			file.WriteString(k.KeyFile())
		}
		again, err := ParseTSIGKeys(file.String())
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%v: %s", err, file.String())
		}
		for i := range keys {
			if !again[i].Name.Equal(keys[i].Name) || !bytes.Equal(again[i].Secret, keys[i].Secret) {
				t.Fatalf("%v, was %v", again[i], keys[i])
			}
		}
	})
}
