package wire_test

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// Everybody may search, and finds what they may read (feature/search holds the
// answers to that): a former member what was said in their time.
func searchRows() []row {
	return []row{
		{verb: "SearchService/SearchMessages", cells: everybodys + "ok foreign-app app", shows: []principal{ex, blocked},
			prepare: func(f *fixture, _ principal) { f.indexed() },
			request: func(f *fixture, _ principal) proto.Message {
				return &pb.SearchMessagesRequest{Query: "words"}
			}},
	}
}

// indexed waits until the last message of the group is found.
func (f *fixture) indexed() {
	for range 2000 {
		r := must[pb.SearchMessagesResponse](f.as(owner), "/skein.v1.SearchService/SearchMessages", &pb.SearchMessagesRequest{Query: f.late})
		if len(r.Hits) > 0 {
			return
		}
	}
	f.t.Fatal("the index does not catch up")
}
