package storetest

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

func key(kind, name string) store.Key {
	return store.Key{
		Kind: kind, Name: name, Certificate: []byte("certificate of " + name),
		PrivateKey: []byte("key of " + name), NotAfter: start(),
	}
}

// keyStored checks that exactly want stands under its kind and name.
func keyStored(t *testing.T, ks store.Keys, want store.Key) {
	t.Helper()
	got, err := ks.Get(t.Context(), want.Kind, want.Name)
	must(t, "Get", err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Get = %+v\nwant  %+v", got, want)
	}
}

func keysWhole(t *testing.T, open Open) {
	ks := open(t).Keys()
	k := key("root", "a.test")
	k.Certificate = bytes.Repeat([]byte{0, 0xff, '\n', '\''}, 30_000)
	k.PrivateKey = []byte{0}
	must(t, "Put", ks.Put(t.Context(), k))
	keyStored(t, ks, k)
	k.Certificate, k.PrivateKey, k.NotAfter = []byte("c"), []byte("k"), start().Add(time.Hour)
	must(t, "Put again", ks.Put(t.Context(), k))
	keyStored(t, ks, k)
}

func keysNamed(t *testing.T, open Open) {
	ks := open(t).Keys()
	for _, name := range [][2]string{{"root", "b.test"}, {"root", "a.test"}, {"leaf", "a.test"}} {
		must(t, "Put", ks.Put(t.Context(), key(name[0], name[1])))
	}
	for kind, want := range map[string]string{"root": "[a.test b.test]", "leaf": "[a.test]", "": "[]", "Root": "[]"} {
		list, err := ks.List(t.Context(), kind)
		must(t, "List", err)
		names := []string{}
		for _, k := range list {
			names = append(names, k.Name)
			if !reflect.DeepEqual(k, key(kind, k.Name)) {
				t.Errorf("List of %q has %+v", kind, k)
			}
		}
		if got := fmt.Sprint(names); got != want {
			t.Errorf("List of %q = %s, want %s", kind, got, want)
		}
	}
	must(t, "Delete", ks.Delete(t.Context(), "root", "a.test"))
	is(t, "Delete again", ks.Delete(t.Context(), "root", "a.test"), store.ErrNotFound)
	_, err := ks.Get(t.Context(), "root", "a.test")
	is(t, "Get after Delete", err, store.ErrNotFound)
	keyStored(t, ks, key("leaf", "a.test"))
}

func keysInvalid(t *testing.T, open Open) {
	ks := open(t).Keys()
	for what, change := range map[string]func(k *store.Key){
		"no kind":         func(k *store.Key) { k.Kind = "" },
		"no name":         func(k *store.Key) { k.Name = "" },
		"no certificate":  func(k *store.Key) { k.Certificate = nil },
		"no private key":  func(k *store.Key) { k.PrivateKey = []byte{} },
		"NUL in the name": func(k *store.Key) { k.Name = "a\x00b" },
		"kind not UTF-8":  func(k *store.Key) { k.Kind = "\x80" },
	} {
		k := key("root", "a.test")
		change(&k)
		is(t, "Put with "+what, ks.Put(t.Context(), k), store.ErrInvalid)
		_, _, err := ks.Swap(t.Context(), nil, k)
		is(t, "Swap with "+what, err, store.ErrInvalid)
	}
}

func swap(t *testing.T, open Open) {
	ks := open(t).Keys()
	first, second := key("root", "a.test"), key("root", "a.test")
	second.Certificate, second.PrivateKey, second.NotAfter = []byte("2"), []byte("two"), start().Add(time.Hour)
	_, _, err := ks.Swap(t.Context(), first.Certificate, second)
	is(t, "Swap of what is not there", err, store.ErrNotFound)
	_, err = ks.Get(t.Context(), "root", "a.test")
	is(t, "Get after it", err, store.ErrNotFound)

	steps := []struct {
		what    string
		old     []byte
		put     store.Key
		now     store.Key
		swapped bool
	}{
		{"insert", nil, first, first, true},
		{"insert where one stands", nil, second, first, false},
		{"swap of another", []byte("other"), second, first, false},
		{"swap of an empty one", []byte{}, second, first, false},
		{"swap", first.Certificate, second, second, true},
		{"swap of the one before", first.Certificate, first, second, false},
	}
	for _, s := range steps {
		now, swapped, err := ks.Swap(t.Context(), s.old, s.put)
		must(t, s.what, err)
		if swapped != s.swapped || !reflect.DeepEqual(now, s.now) {
			t.Errorf("%s: %+v, %v, want %+v, %v", s.what, now, swapped, s.now, s.swapped)
		}
		keyStored(t, ks, s.now)
	}
}

func oneSwapper(t *testing.T, open Open) {
	ks := open(t).Keys()
	var old []byte
	for round := range 5 {
		var wins atomic.Int32
		nows := make([]store.Key, 16)
		var wg sync.WaitGroup
		for i := range nows {
			wg.Go(func() {
				k := key("root", "a.test")
				k.Certificate = fmt.Appendf(nil, "%d of round %d", i, round)
				now, swapped, err := ks.Swap(t.Context(), old, k)
				if err != nil {
					t.Errorf("Swap: %v", err)
				}
				if swapped {
					wins.Add(1)
				}
				nows[i] = now
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("round %d: %d won", round, wins.Load())
		}
		for _, now := range nows {
			if !reflect.DeepEqual(now, nows[0]) {
				t.Fatalf("round %d: two hold different keys: %s and %s", round, now.Certificate, nows[0].Certificate)
			}
		}
		old = nows[0].Certificate
	}
}
