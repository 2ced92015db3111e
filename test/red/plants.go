package main

import "strings"

// plant is a bug that is put into the server on purpose: the smallest change
// that breaks one promise, and who has to notice.
type plant struct {
	name  string
	says  string // what the server does wrong
	edits []edit
	// scripts are the behaviour scripts that must turn red, and tests the Go
	// tests: for a bug that every SDK repairs or hides, so that no user of one
	// would see it, the promise is held by a test below the SDKs.
	scripts []string
	tests   []goTest
}

// edit replaces a text that occurs exactly once in a file.
type edit struct{ file, old, new string }

// goTest is a test function of a package.
type goTest struct{ pkg, name string }

// starts tells whether a test is one that starts servers: it needs a program
// with the bug.
func (t goTest) starts() bool { return strings.HasPrefix(t.pkg, "./test/") }

// plants are grouped by the promise of docs/guarantees.md that they break. The
// texts are of the source as it is; when somebody rewrites such a line, the
// plant says so and is rewritten with it.
var plants = []plant{
	// D1: durable ack, with a synchronous standby.
	{
		name: "D1 cancelled wait acknowledged", says: "a commit is acknowledged although its wait for the standby was cancelled",
		edits: []edit{{"internal/db/postgres.go", "case err == nil && warned(c.Conn().PgConn()):", "case false:"}},
		tests: []goTest{{"./internal/db", "TestPostgresFailsOver"}},
	},
	{
		name: "D1 commit cancelled", says: "a commit that its caller gives up is cancelled while it waits for the standby",
		edits: []edit{{"internal/db/postgres_link.go", "if l := stands.Load(); l != nil {", "if l := stands.Load(); l != nil && false {"}},
		tests: []goTest{{"./internal/db", "TestPostgresFailsOver"}},
	},
	{
		name: "D1 old primary used", says: "the primary from before a failover, started again, is written to",
		edits: []edit{{"internal/db/postgres_primary.go", "case timeline < p.timeline:", "case false:"}},
		tests: []goTest{{"./internal/db", "TestPostgresFailsOver"}},
	},

	// D2: exactly-once effect.
	{
		name: "D2 key not looked up", says: "a retry with a client id that is stored becomes a second entry",
		edits: []edit{{"internal/journal/sqlite.go",
			"if n == 0 {\n\t\t\treturn errDuplicate", "if n < 0 {\n\t\t\treturn errDuplicate"}},
		scripts: []string{"d2_exactly_once", "d2_over_restart"},
	},
	{
		name: "D2 keys forgotten", says: "a server that starts forgets which client ids it has stored",
		edits: []edit{{"internal/journal/open.go",
			"if !errors.Is(err, db.ErrNoRows) {\n\t\treturn incarnation, shards, err",
			"if err == nil {\n\t\terr = d.Write(ctx, func(tx db.Tx) error {\n\t\t\t_, err := tx.Exec(\"DELETE FROM idempotency\")\n\t\t\treturn err\n\t\t})\n\t}\n\tif !errors.Is(err, db.ErrNoRows) {\n\t\treturn incarnation, shards, err"}},
		scripts: []string{"d2_over_restart"},
	},
	{
		name: "D2 lost answer tried blindly", says: "a commit whose answer was lost is tried again without a look at the client ids",
		edits: []edit{{"internal/journal/writer.go", "w.attempt(items, entries, true); im.CodeOf", "w.attempt(items, entries, false); im.CodeOf"},
			{"internal/journal/postgres.go", "$6::bigint[])`\n\tpgInsertPlain", "$6::bigint[]) ON CONFLICT DO NOTHING`\n\tpgInsertPlain"}},
		tests: []goTest{{"./internal/journal", "TestCutsAtCommitTimeLeaveNoHoleAndNoDuplicate"}},
	},

	// D3: total order.
	{
		name: "D3 sends overtake", says: "what one connection pipelines into a group is not appended in that order",
		edits: []edit{{"internal/chat/pipe.go",
			"p.mu.Unlock()\n\tp.try(ctx, line, h)\n}",
			"p.mu.Unlock()\n\tif h.n%2 == 0 {\n\t\tcontext.AfterFunc(expired(), func() { p.try(ctx, line, h) })\n\t\treturn\n\t}\n\tp.try(ctx, line, h)\n}\n\n" +
				"func expired() context.Context {\n\tctx, _ := context.WithTimeout(context.Background(), 20_000_000)\n\treturn ctx\n}"}},
		scripts: []string{"d3_order"},
	},
	{
		name: "D3 stale send overtaken", says: "a send that is decided again because the members changed lets later ones pass",
		edits: []edit{{"internal/chat/pipe.go",
			"if isStale(err) {\n\t\t\tp.landed(ctx, line, &h, a.ClientID)\n",
			"if isStale(err) {\n\t\t\tgo p.again(ctx, line, h)\n"},
			{"internal/chat/pipe.go", "// landed counts one outcome,", `func (p *Pipe) again(ctx context.Context, line *pipeLine, h heldSend) {
	p.s.rooms.drop(p.actor.App, line.conv)
	a, _, err := p.prepare(ctx, &h.req)
	if err != nil {
		answer(h.done, err)
		return
	}
	p.s.j.Submit(a, func(res journal.Result, err error) {
		if isStale(err) {
			go p.again(ctx, line, h)
			return
		}
		h.done(res, err)
		p.landed(ctx, line, nil, a.ClientID)
	})
}

// landed counts one outcome,`}},
		tests: []goTest{{"./internal/chat", "TestPipelinedSendsKeepTheirOrderOnANodeWithOldMembers"}},
	},
	{
		name: "D3 batch reversed", says: "the writer numbers a batch from its end",
		edits: []edit{{"internal/journal/plan.go",
			"for _, it := range items {\n\t\tit.row, it.dup, it.err, it.marker = nil, false, nil, Marker{}",
			"for i := range items {\n\t\tit := items[len(items)-1-i]\n\t\tit.row, it.dup, it.err, it.marker = nil, false, nil, Marker{}"}},
		scripts: []string{"d3_order"},
	},
	{
		name: "D3 fan-out jumps", says: "the fan-out delivers what a hint brings, and does not look for what lies before it",
		edits: []edit{{"internal/gateway/lanes.go", "for len(l.held) > 0 && l.held[0].from <= l.head+1 {", "for len(l.held) > 0 {"},
			{"internal/gateway/lanes.go", "&s.entries[l.head+1-s.from]", "&s.entries[max(0, l.head+1-s.from)]"}},
		tests: []goTest{{"./internal/gateway", "TestEverySessionHearsEachEntryOnceAndInOrderWhateverTheBusLoses"}},
	},

	// D4: no silent gap.
	{
		name: "D4 entry claimed withheld", says: "the fan-out drops an entry and says that it is withheld",
		edits: []edit{{"internal/gateway/fanout.go",
			"case e.Withheld(u, s.actor().Device):", "case e.Withheld(u, s.actor().Device) || e.Kind == im.KindMessage && e.Seq%4 == 3:"}},
		scripts: []string{"d4_no_gap"},
	},
	{
		name: "D4 sync claims withheld", says: "sync leaves entries out and says that they are withheld",
		edits: []edit{{"internal/chat/sync.go",
			"if e.Withheld(actor.User, actor.Device) || x.hidden.Has(e.Seq) {", "if e.Withheld(actor.User, actor.Device) || e.Seq%2 == 1 {"}},
		scripts: []string{"d4_no_gap"},
	},
	{
		name: "D4 old skip believed", says: "a node believes that it need not read positions, though a user came online since",
		edits: []edit{{"internal/bus/relay/receive.go", "k.started == r.o.Boot.Started && k.version >= came {", "k.started == r.o.Boot.Started {"}},
		tests: []goTest{{"./internal/bus/relay", "TestASkipIsBelievedOnlyWhenNobodyHasComeSince"}},
	},

	// D5: sync by cursor.
	{
		name: "D5 edits left out", says: "sync tells of new messages, and not of what changed in old ones",
		edits: []edit{{"internal/chat/sync.go",
			"if e.Withheld(actor.User, actor.Device) || x.hidden.Has(e.Seq) {",
			"if e.Withheld(actor.User, actor.Device) || e.Kind == im.KindEdit || e.Kind == im.KindRecall {"}},
		scripts: []string{"d5_resume"},
	},
	{
		name: "D5 cursor without entries", says: "sync moves the cursor on without the conversations that changed",
		edits: []edit{{"internal/chat/sync.go",
			"shown := &markers{v: v, actor: actor}\n", "if since != nil {\n\t\trows = nil\n\t}\n\tshown := &markers{v: v, actor: actor}\n"}},
		scripts: []string{"d5_resume", "d5_many_conversations"},
	},
	{
		name: "D5 news dropped", says: "what comes during a sync of several pages is dropped behind it",
		edits: []edit{{"internal/gateway/machine.go", "if heads == nil || n.pos > heads[n.shard] {", "if heads == nil {"}},
		tests: []goTest{{"./internal/gateway", "TestNewsDuringASyncIsHeldAndWhatTheSyncToldIsDropped"}},
	},

	// D6: fences.
	{
		name: "D6 removal ends nothing", says: "a removal is told to all and leaves the membership as it was",
		edits:   []edit{{"internal/journal/plan.go", "m.to = r.Seq + 1\n", "m.to = 0\n"}},
		scripts: []string{"d6_kick", "d6_leave_and_return"},
	},
	{
		name: "D6 socket stays open", says: "a signed-out device's socket stays open",
		edits: []edit{{"internal/gateway/gateway.go",
			"if f.Ends(s.signedIn()) {", "if f.Kind != auth.FenceDevice && f.Ends(s.signedIn()) {"}},
		scripts: []string{"d6_signout", "token_refresh"},
	},
	{
		name: "D6 cached members", says: "the fan-out goes on with the members from before a removal",
		edits: []edit{{"internal/chat/audience.go", "if e.Kind == im.KindMembers || e.Kind == im.KindConversation {", "if e.Kind == im.KindConversation {"}},
		tests: []goTest{{"./internal/gateway", "TestWhoIsRemovedIsToldSoAndHearsNothingAfter"}},
	},
	{
		name: "D6 old members believed", says: "a node that was not told of a removal answers by the members that it remembers",
		edits: []edit{{"internal/chat/reading.go", "c.ACLVersion != room.Version; stale {", "c.ACLVersion < room.Version; stale {"}},
		tests: []goTest{{"./internal/chat", "TestEachVerbAloneHoldsOnANodeThatHasNotHeardOfARemoval"}},
	},
	{
		name: "D6 removal overtaken", says: "a message is stored although its sender was removed after the decision",
		edits: []edit{{"internal/journal/plan.go", "c != nil && a.ACLVersion >= 0 && a.ACLVersion != c.acl:", "c != nil && a.ACLVersion > c.acl:"}},
		tests: []goTest{{"./internal/chat", "TestNobodyWritesOutsideTheirMembership"}},
	},
	{
		name: "D6 lease without end", says: "a node that was frozen goes on serving although its lease is over",
		edits: []edit{{"internal/auth/lease.go", "return now.Sub(start) < v.span && now.Round(0).Sub(start.Round(0)) < v.span, again", "return now.After(start), again"}},
		tests: []goTest{{"./internal/auth", "TestAFrozenNodeStopsServingBeforeItsSignOutIsAcknowledged"}, {"./internal/auth", "TestNoNodeServesPastAnAcknowledgedFence"}},
	},
	{
		name: "D6 lease not asked", says: "the fan-out delivers without asking whether this node may still serve",
		edits: []edit{{"internal/gateway/fanout.go", "if !f.g.Doorman.Valid() {", "if false {"}},
		tests: []goTest{{"./internal/gateway", "TestANodeThatMayNotServeStopsDelivering"}},
	},

	// D8: honest timeouts.
	{
		name: "D8 drain drops answers", says: "a node that is drained closes sessions whose sends have no answer yet",
		edits: []edit{{"internal/gateway/machine.go", "if ev.last || m.phase < phaseSyncing || !m.welcomed {", "if m.leaving {"}},
		tests: []goTest{{"./internal/gateway", "TestADrainAnswersWhatIsUnderWayBeforeItClosesAndTakesNothingMore"}},
	},

	// D10: files.
	{
		name: "D10 bytes anywhere", says: "a part is taken for another place than the upload's end",
		edits: []edit{{"internal/feature/file/claim.go", "if offset >= 0 && u.at != offset {", "if false {"},
			{"internal/tus/tus.go", "case info.Offset != offset:", "case false:"}},
		tests: []goTest{{"./internal/feature/file", "TestTheSamePartTwiceIsStoredOnce"}},
	},
	{
		name: "D10 hash not compared", says: "a file is made although its bytes are not those that were told",
		edits: []edit{{"internal/feature/file/finish.go", "if len(u.sum) > 0 && !bytes.Equal(u.sum, sum) {", "if bytes.Equal(nil, sum) {"}},
		tests: []goTest{{"./internal/feature/file", "TestBytesThatAreNotWhatWasToldAreRefused"}},
	},
	{
		name: "D10 file given up", says: "giving an upload up deletes the bytes of the file that was made of it meanwhile",
		edits: []edit{{"internal/feature/file/upload.go", "if c.upload.done { // while", "if false { // while"},
			{"internal/feature/file/upload.go", "if n == 0 {\n\t\t\treturn errLost", "if n < 0 {\n\t\t\treturn errLost"}},
		tests: []goTest{{"./internal/feature/file", "TestGivingUpAndTheLastPartAtOnceAgreeOnWhatBecame"}},
	},
	{
		name: "D10 frozen holder", says: "a node that was frozen writes on in an upload that another has taken over",
		edits: []edit{{"internal/feature/file/claim.go", "if r.c.lost() {", "if false {"}},
		tests: []goTest{{"./test/files", "TestANodeThatWakesUpDoesNotTouchAFileThatAnotherHasCompleted"}},
	},
	{
		name: "D10 nobody asked", says: "whoever knows a file's id reads it",
		edits: []edit{{"internal/feature/file/access.go", `if err != nil || conv == "" && seq == 0 && f.mine(a) {`, "if true {"}},
		tests: []goTest{{"./test/files", "TestAFileIsReadByThoseWhoMayReadItsMessage"}},
	},
	{
		name: "D10 backup without the last files", says: "a backup copies the files from before its moment alone",
		edits: []edit{{"cmd/skein/backup.go", "return errors.Join(before, err)\n\t}\n\treturn files()", "return errors.Join(before, err)\n\t}\n\treturn before"}},
		tests: []goTest{{"./test/files", "TestABackupThatIsMadeUnderUploadsHasEveryFileOfItsMessages"}},
	},

	// Followers: each entry has its effect once.
	{
		name: "Follower of an old epoch", says: "a follower that has lost its lease moves the cursor all the same",
		edits: []edit{{"internal/follow/task.go", "AND epoch = $4 AND pos < $1", "AND epoch >= $4 AND pos < $1"}},
		tests: []goTest{{"./internal/follow", "TestAnOwnerThatFreezesAndWakesUpLateChangesNothing"}},
	},

	// Moving a store, and backups of it.
	{
		name: "Move misses changes", says: "a migration does not notice which rows change after it has copied them",
		edits: []edit{{"internal/move/capture.go", `return []string{"INSERT", "UPDATE", "DELETE"}`, `return []string{"INSERT", "DELETE"}`}},
		tests: []goTest{{"./internal/move", "TestStoreMovesWhileItIsWrittenTo"}},
	},
	{
		name: "Move misses edits", says: "a migration does not notice which messages are edited after it has copied them",
		edits: []edit{{"internal/move/copy.go", "if r.Pos() <= m.copied[r.Shard()] {", "if false {"}},
		tests: []goTest{{"./internal/move", "TestStoreMovesWhileItIsWrittenTo"}},
	},
	{
		name: "Backup without its end", says: "a backup that ends before its trailer counts as whole",
		edits: []edit{{"internal/move/file.go", "if err := c.read(head[:]); err != nil {\n\t\treturn 0, nil, err",
			"if err := c.read(head[:]); err != nil {\n\t\treturn kindEnd, []byte(\"{}\"), nil"},
			{"internal/move/backup.go", "err = errors.Join(checkCounts(&m, &got, at), c.end())", "err = c.end()"}},
		tests: []goTest{{"./internal/move", "TestBackupThatIsCutOffOrGoesOnIsFound"}},
	},
	{
		name: "Backup not counted", says: "a backup's contents are not compared with what its end says",
		edits: []edit{{"internal/move/backup.go", "err = errors.Join(checkCounts(&m, &got, at), c.end())", "err = c.end()"}},
		tests: []goTest{{"./internal/move", "TestABackupThatHoldsLessThanItsEndSaysIsFound"}},
	},

	// What is made of pictures, sounds and films.
	{
		name: "Media keeps EXIF", says: "a photograph says where it was taken",
		edits: []edit{{"internal/media/jpeg.go", "if tiff, ok := bytes.CutPrefix(data, []byte(\"Exif", "p.clean.keep(from, end-from)\n\t\tif tiff, ok := bytes.CutPrefix(data, []byte(\"Exif"}},
		tests: []goTest{{"./internal/media", "TestWhatACameraWroteIsGoneAndThePixelsAreThoseThatCame"}},
	},
	{
		name: "Media decodes anything", says: "a picture is decoded however large its header says that it is",
		edits: []edit{{"internal/media/picture.go", "p.torn || int64(p.width)*int64(p.height) > l.Pixels", "p.torn"}},
		tests: []goTest{{"./internal/media", "TestWhatIsMadeToHurtIsSavedAndNothingElseHappens"}},
	},
	{
		name: "Media without a bound", says: "a process that reads media takes all the memory that it likes",
		edits: []edit{{"internal/media/confine_linux.go", "uint64(memory) + runtime", "uint64(memory) << 10"}},
		tests: []goTest{{"./internal/media", "TestAPictureThatNeedsMoreMemoryThanThereIsIsSaved"}},
	},
	{
		name: "Media collected too early", says: "the smaller pictures of a file that is being made are taken for what a dead server left",
		edits: []edit{{"internal/feature/file/media.go", "now+im.Micros(life.Microseconds())", "now"}},
		tests: []goTest{{"./internal/feature/file", "TestNothingIsCollectedFromUnderWhoMakesAPicture"}},
	},

	// What recall promises: nothing that the message ever said stays.
	{
		name: "Recall keeps edits", says: "a recall empties the message and leaves its text in the entries of its edits",
		edits: []edit{{"internal/journal/plan.go",
			"p.blank(target, &target.Recalled)\n\t\tp.blankEdits(r)\n", "p.blank(target, &target.Recalled)\n"}},
		tests: []goTest{{"./internal/chat", "TestAnEditKeepsItsHistoryAndARecallEndsIt"}},
	},
}
