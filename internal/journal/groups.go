package journal

import (
	"cmp"
	"slices"

	"github.com/skein-im/skein/internal/im"
)

// The ids of groups begin with a digit or a letter. Between the two lie those
// of direct conversations, which begin with @ and a digit, and behind both
// those of users' own, which begin with ~: an app has many more of them, and
// a list of groups passes them over without a look.
const (
	beforeDirect = "@"
	afterDirect  = "@~"
	beforeSelf   = "~"
)

// selectGroups finds the rows by the index of ids before it looks at anything
// else of them.
const selectGroups = "SELECT " + rowColumns + ", " + convColumns + ` FROM (
  SELECT g.conv_no FROM conversation g WHERE g.app = $1 AND g.conv > $2 AND g.conv < $3 ORDER BY g.conv LIMIT $4
) n JOIN conversation c ON c.conv_no = n.conv_no
JOIN entry e ON e.conv_no = c.conv_no AND e.seq = (SELECT max(x.seq) FROM entry x WHERE x.conv_no = c.conv_no)
ORDER BY c.conv`

// Groups implements View.
func (v *sqlView) Groups(app im.AppID, after im.ConvID, limit int) (out []Conv, err error) {
	if after < beforeDirect {
		if out, err = v.groups(app, after, beforeDirect, limit); err != nil {
			return nil, err
		}
	}
	if len(out) < limit {
		more, err := v.groups(app, max(after, afterDirect), beforeSelf, limit-len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (v *sqlView) groups(app im.AppID, after, before im.ConvID, limit int) ([]Conv, error) {
	rows, err := v.tx.Query(selectGroups, app, after, before, max(limit, 0))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var heads []headRow
	for rows.Next() {
		var h headRow
		if err := h.scanHead(rows); err != nil {
			return nil, err
		}
		heads = append(heads, h)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	out := make([]Conv, len(heads))
	for i := range heads {
		if err := heads[i].mend(v.tx); err != nil {
			return nil, err
		}
		v.report(heads[i].broken)
		out[i] = heads[i].conv
	}
	return out, nil
}

// Groups implements View.
func (v *memView) Groups(app im.AppID, after im.ConvID, limit int) (out []Conv, err error) {
	for k, c := range v.convs {
		if k.app == app && c.kind == im.ConvGroup && k.conv > after {
			out = append(out, c.conv())
		}
	}
	slices.SortFunc(out, func(a, b Conv) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(len(out), max(limit, 0))], nil
}
