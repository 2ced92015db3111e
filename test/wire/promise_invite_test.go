package wire_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/skein-im/skein/internal/db"
	pb "github.com/skein-im/skein/proto/skein/v1"
)

const joinByInvite = "/skein.v1.JoinService/JoinByInvite"

// An invitation for one: the server is killed with 30 users on their way in, as
// soon as some of them are written down. When everybody has tried again, with
// the same client ids, exactly one is in: the use is neither lost nor doubled.
func TestKillNineAmongUsersOfAnInvitationForOneLetsExactlyOneIn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	owner := someone("owner")
	for round, written := range []int{1, 1, 2, 5} {
		own := as(t, s, owner)
		group := must[pb.CreateGroupResponse](own, createGroup, &pb.CreateGroupRequest{Title: "one", ClientId: newID(0)}).Conversation.Id
		code := must[pb.CreateInviteResponse](own, createInvite, &pb.CreateInviteRequest{Conversation: group, MaxUses: 1, ClientId: newID(0)}).Code
		var users []string
		var ids [][]byte
		for range 30 {
			users, ids = append(users, someone("guest")), append(ids, newID(0))
		}
		join := func(s *server, i int) string {
			c := as(t, s, users[i])
			body, err := proto.Marshal(&pb.JoinByInviteRequest{Code: code, ClientId: ids[i]})
			if err != nil {
				return "marshal"
			}
			r, err := http.NewRequest(http.MethodPost, s.url+joinByInvite, bytes.NewReader(body))
			if err != nil {
				return "request"
			}
			r.Header.Set("Content-Type", "application/proto")
			r.Header.Set("Authorization", "Bearer "+c.token)
			r.Header.Set("Skein-App", c.app)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				return "lost"
			}
			defer res.Body.Close()
			return fmt.Sprint(res.StatusCode)
		}
		all := func(s *server) map[string]int {
			got := make(map[string]int)
			var mu sync.Mutex // guards got
			var wg sync.WaitGroup
			for i := range users {
				wg.Add(1)
				go func() {
					defer wg.Done()
					outcome := join(s, i)
					mu.Lock()
					got[outcome]++
					mu.Unlock()
				}()
			}
			wg.Wait()
			return got
		}
		d, err := openData(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		before := usesIn(t, d)
		done := make(chan map[string]int, 1)
		go func() { done <- all(s) }()
		var first map[string]int
		for first == nil && usesIn(t, d) < before+written {
			select {
			case first = <-done:
			default:
			}
		}
		s.kill()
		d.Close()
		if first == nil {
			first = <-done
		}
		s = s.again(t)
		second := all(s)
		if second["200"] != 1 || second["404"] != 29 || first["200"] > 1 {
			t.Errorf("round %d: before the kill %v, after it %v", round, first, second)
		}
		members := must[pb.ListMembersResponse](as(t, s, owner), listMembers, &pb.ListMembersRequest{Conversation: group}).Members
		if len(members) != 2 {
			t.Errorf("round %d: %d are in", round, len(members))
		}
		// What is fenced leaves a store that is whole, too.
		for _, user := range []string{members[0].User, members[1].User, someone("stranger")} {
			if user != owner {
				must[pb.BanMemberResponse](as(t, s, owner), banMember, &pb.BanMemberRequest{Conversation: group, User: user, ClientId: newID(0)})
			}
		}
	}
	s.kill()
	s.fsck(t)
}

// usesIn is how many have set out by some invitation.
func usesIn(t *testing.T, d *db.DB) (n int) {
	t.Helper()
	if err := d.Read(context.Background(), func(tx db.Tx) error { return tx.QueryRow("SELECT count(*) FROM join_use").Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}
