package join

import (
	"strconv"
	"strings"

	"github.com/skein-im/skein/internal/im"
)

// list names one list of one reader: a page's token works for no other.
type list struct {
	name  string
	actor im.Actor
	conv  im.ConvID
}

func (l list) text() string { return "join " + l.name + " " + string(l.conv) }

// sealPage makes the token of the page after a row: its time (or 0) and its name.
func (s *Service) sealPage(l list, at im.Micros, name string) string {
	return s.Pages.Seal(l.actor, l.text(), strconv.FormatInt(int64(at), 10)+"."+name)
}

// openPage returns where a page begins. InvalidArgument for a token of another
// list, user, app or making.
func (s *Service) openPage(l list, token string) (im.Micros, string, error) {
	after, err := s.Pages.Open(l.actor, l.text(), token)
	if err != nil || after == "" {
		return 0, "", err
	}
	at, name, _ := strings.Cut(after, ".")
	n, err := strconv.ParseInt(at, 10, 64)
	return im.Micros(n), name, err
}

// pageSize holds a page's size to its bounds.
func pageSize(limit, usual, most int) (int, error) {
	if limit == 0 {
		limit = usual
	}
	if limit < 1 || limit > most {
		return 0, im.Errorf(im.InvalidArgument, "limit is 1 to %d", most)
	}
	return limit, nil
}
