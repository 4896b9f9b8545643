package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// helpPut puts credentials without end, saying each that is acknowledged.
func helpPut(args []string) error {
	s, err := Open(context.Background(), args[0])
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		user := fmt.Sprintf("%s-%d", args[1], i)
		if err := s.Credentials().Put(context.Background(), someone(user)); err != nil {
			return err
		}
		fmt.Println(user)
		if i%5 == 4 { // what is deleted stays deleted
			if err := s.Credentials().Delete(context.Background(), user, "password"); err != nil {
				return err
			}
			fmt.Println("-" + user)
		}
	}
}

// Whatever was acknowledged is there after kill -9 at any moment, the first
// start included, and the next start works.
func TestKilled(t *testing.T) {
	t.Parallel()
	const rounds = 25
	dir := t.TempDir() + "/data"
	want := map[string]bool{} // user -> there
	total := 0
	for round := range rounds {
		h := startHelper(t, "put", dir, fmt.Sprint("round", round))
		var lines []string
		if round%3 == 0 { // at any moment of the start
			lines = h.rest(rand.N(40 * time.Millisecond))
			if round < rounds/2 && len(lines) == 0 {
				_ = os.RemoveAll(dir) // the next start makes the database
				clear(want)
			}
		} else { // at any moment of the writing
			lines = append(lines, h.line(t))
			lines = append(lines, h.rest(rand.N(40*time.Millisecond))...)
		}
		inDoubt := checkSaid(t, lines, want)
		total += len(lines)
		s := mustOpen(t, dir)
		all, err := s.Credentials().All(t.Context())
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		have := map[string]bool{}
		for _, c := range all {
			if have[c.User] = true; c.Hash != "hash of "+c.User {
				t.Fatalf("round %d: %s is not whole: %+v", round, c.User, c)
			}
		}
		if inDoubt != "" {
			want[inDoubt] = have[inDoubt]
		}
		for user, there := range want {
			if have[user] != there {
				t.Fatalf("round %d: %s was acknowledged, and is there: %v", round, user, have[user])
			}
		}
		s.Close()
	}
	if total < rounds {
		t.Errorf("only %d writes were acknowledged in %d rounds", total, rounds)
	}
}

// checkSaid notes what the helper said, and returns the user whose deletion
// may have been done without having been acknowledged, if there is one.
func checkSaid(t *testing.T, lines []string, want map[string]bool) (inDoubt string) {
	t.Helper()
	for _, line := range lines {
		if strings.HasPrefix(line, "error") {
			t.Fatalf("the helper says %q", line)
		}
		user, deleted := strings.CutPrefix(line, "-")
		want[user] = !deleted
		if inDoubt = ""; !deleted && (strings.HasSuffix(user, "4") || strings.HasSuffix(user, "9")) {
			inDoubt = user
		}
	}
	return inDoubt
}
