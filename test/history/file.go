package history

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
)

// file is a history as it is stored.
type file struct {
	App          string
	Convs, Users []string
	Clients      []*Client
	Logs         []*Log
}

// Save writes a run that has ended to a file, to be looked at later.
func (h *History) Save(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	err = json.NewEncoder(z).Encode(file{h.App, h.Convs, h.Users, h.Clients, h.Logs})
	return errors.Join(err, z.Close(), f.Close())
}

// Load reads what Save wrote. Nothing more can be recorded in it.
func Load(name string) (*History, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var in file
	if err := json.NewDecoder(z).Decode(&in); err != nil {
		return nil, err
	}
	h := &History{App: in.App, Convs: in.Convs, Users: in.Users, Clients: in.Clients, Logs: in.Logs}
	for _, c := range h.Clients {
		c.h = h
	}
	return h, nil
}
