package interop

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/internal/leftout"
)

// onOwnDisk runs a shell script in an empty file system of its own, of the size given, with the program as $U and an
// address as $A. It returns what the script printed.
func onOwnDisk(t *testing.T, size, script string) string {
	t.Helper()
	unshare := foreign(t, "unshare")
	if os.Geteuid() != 0 || exec.Command(unshare, "-m", "mount", "-t", "tmpfs", "none", t.TempDir()).Run() != nil {
		leftout.Because(t, "only root may mount a file system, and not on every machine")
	}
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	prelude := "U=" + program + "\nA=" + freshAddress(t) + "\nD=" + t.TempDir() + "\nmount -t tmpfs -o size=" + size + " none $D && cd $D || exit 99\n"
	out, code := ask(t, "", unshare, "-m", "sh", "-c", prelude+script+"\n[ -z \"$P\" ] || kill $P\nwait\n")
	if code != 0 {
		t.Fatalf("the script ended with %d:\n%s", code, out)
	}
	return out
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	out := onOwnDisk(t, "16m", `
$U up a.test --address $A >up.out 2>&1 & P=$!
$U status --wait 20s >/dev/null || { cat up.out; exit 1; }
echo 'a good password' | $U user add first --password-stdin
dd if=/dev/zero of=filler bs=64k >/dev/null 2>&1
cp utopia.toml /dev/null
echo '--- full'
echo 'a good password' | $U user add second --password-stdin; echo "code $?"
$U status >/dev/null; echo "status $?"
rm filler
echo '--- room again'
echo 'a good password' | $U user add third --password-stdin; echo "code $?"
$U user list
kill -9 $P; wait $P
$U up >up.out 2>&1 & P=$!
$U status --wait 20s >/dev/null || { cat up.out; exit 1; }
echo '--- after a restart'
$U user list
`)
	full, later, _ := strings.Cut(out, "--- room again")
	if !strings.Contains(full, "added first") || !strings.Contains(full, "code 1") || strings.Contains(full, "added second") {
		t.Errorf("on a full disk:\n%s", full)
	}
	if !strings.Contains(full, "no space left") || !strings.Contains(full, "status 0") {
		t.Errorf("a full disk is not told clearly, or stopped the services:\n%s", full)
	}
	if !strings.Contains(later, "added third") || strings.Contains(later, "second") || strings.Count(later, "first") != 2 {
		t.Errorf("once there is room:\n%s", later)
	}
}

func TestFullDiskOnAFirstRun(t *testing.T) {
	t.Parallel()
	out := onOwnDisk(t, "64k", `$U up a.test --address $A; echo "code $?"; find . -name utopia.toml`)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if !strings.Contains(out, "code 1") || !strings.Contains(out, "no space left") || len(lines) > 4 {
		t.Errorf("a first run on a full disk prints\n%s", out)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	out := onOwnDisk(t, "16m", `
mount -o remount,ro $D
$U up a.test --address $A; echo "code $?"
mount -o remount,rw $D
$U up a.test --address $A >up.out 2>&1 & P=$!
$U status --wait 20s >/dev/null || { cat up.out; exit 1; }
kill $P; wait $P; P=
mount -o remount,ro $D
echo '--- again'
$U up; echo "code $?"
`)
	first, again, _ := strings.Cut(out, "--- again")
	for name, printed := range map[string]string{"a first run": first, "a later run": again} {
		printed = strings.TrimSpace(printed)
		if !strings.Contains(printed, "code 1") || !strings.Contains(strings.ToLower(printed), "read-only") ||
			strings.Count(printed, "\n") > 2 {
			t.Errorf("%s in a read-only folder prints\n%s", name, printed)
		}
	}
}

func TestDataOfANewerVersion(t *testing.T) {
	t.Parallel()
	sqlite := foreign(t, "sqlite3")
	in := serve(t, "a.test")
	in.stop(15)
	database := in.dir + "/data/utopia.db"
	if out, code := ask(t, "", sqlite, database,
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); code != 0 {
		t.Fatalf("%s", out)
	}
	before, err := os.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	out, err := in.run("", "up")
	if err == nil || !strings.Contains(out, "newer version") || strings.Count(out, "\n") > 2 {
		t.Errorf("%v:\n%s", err, out)
	}
	if after, _ := os.ReadFile(database); string(after) != string(before) {
		t.Error("data of a newer version was changed")
	}
}
