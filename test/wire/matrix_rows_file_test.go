package wire_test

import (
	"strings"

	"google.golang.org/protobuf/proto"

	pb "github.com/skein-im/skein/proto/skein/v1"
)

// fileRows are those of files that are in no message; who reads one that is in
// a message, over HTTP, test/files tells.
func fileRows() []row {
	return []row{
		{verb: "FileService/GetFile", cells: nobody + `
			NOT_FOUND foreign foreign-app stranger visitor guest ex blocked muted bot admin owner
			ok        member app`,
			prepare: func(f *fixture, _ principal) { f.users[principal("file "+f.group)] = f.uploaded(member) },
			request: func(f *fixture, _ principal) proto.Message {
				id := f.users[principal("file "+f.group)]
				if id == "" {
					id = strings.Repeat("0", 32)
				}
				return &pb.GetFileRequest{Id: id}
			}},
		{verb: "FileService/CreateFileKey", cells: everybodys + "ok foreign-app app", same: true,
			request: func(*fixture, principal) proto.Message { return &pb.CreateFileKeyRequest{} }},
	}
}

// uploaded uploads a file of a principal's and returns its id.
func (f *fixture) uploaded(p principal) string {
	f.t.Helper()
	return f.as(p).upload("words.txt", "words", 5)
}
