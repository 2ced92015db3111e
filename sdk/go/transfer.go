package skein

import (
	"context"
	"io"
	"slices"
	"time"
)

// TransferState is how far the files of a message are.
type TransferState string

// The states of a transfer.
const (
	TransferWaiting   TransferState = "waiting"   // for the network, or for its turn
	TransferPreparing TransferState = "preparing" // a file is read for its hash
	TransferUploading TransferState = "uploading"
	TransferPaused    TransferState = "paused"
	TransferSending   TransferState = "sending" // the files are there, the message is being sent
	TransferSent      TransferState = "sent"    // the last that is told of it
	TransferFailed    TransferState = "failed"  // see Err; Resume tries again
)

// Transfer is a message with files on its way, as it is at one moment.
type Transfer struct {
	// ID is the message's: its echo has the same.
	ID           string
	Conversation string // id
	State        TransferState
	Items        []TransferItem
	Caption      string
	// Size is the bytes of all files, posters included; Sent is how many of
	// them are there.
	Size, Sent int64
	// BytesPerSecond is the pace of the last seconds, 0 = none yet; Left is how
	// long the rest takes at it, 0 = not known.
	BytesPerSecond int64
	Left           time.Duration
	// Offline: there is no connection, and it goes on when there is.
	Offline bool
	Err     *Error // TransferFailed: why

	c *Client
}

// TransferItem is one file of a transfer.
type TransferItem struct {
	Name, MIME string
	Size, Sent int64
	// Path or Reader is where the bytes are, to show them before they are sent;
	// both are empty after a restart for what was a Reader.
	Path          string
	Reader        io.ReaderAt
	Width, Height uint32
	Duration      time.Duration
	Voice         bool
	Waveform      []byte
}

// UploadEvent tells that a transfer changed: at most twice a second while its
// bytes move.
type UploadEvent struct{ Transfer Transfer }

// OnUpload is called when the transfer of a message's files changed. One that
// was cancelled is told of by OnMessageRemoved.
func (c *Client) OnUpload(fn func(UploadEvent)) (off func()) { return c.on.upload.add(fn) }

// Uploads returns the messages with files that are not sent yet, oldest first;
// those of an earlier process included.
func (c *Client) Uploads() []Transfer {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []Transfer
	for _, it := range c.st.outbox {
		if it.files != nil && it.state != Sent {
			out = append(out, c.transferOf(it))
		}
	}
	return out
}

// transferOf is how an item's files stand, under mu.
func (c *Client) transferOf(it *item) Transfer {
	f := it.files
	t := Transfer{ID: it.id, Conversation: it.conv, State: TransferWaiting, Caption: it.body.GetContent().GetAttachments().GetCaption(),
		Size: f.size(), Sent: f.sent(), Offline: c.status != Online, Err: it.err, c: c}
	busy, preparing := false, false
	for _, p := range f.parts {
		if p.stop != nil {
			busy = true
			preparing = preparing || p.progress.preparing.Load()
		}
		if p.film == 0 {
			up := p.up
			t.Items = append(t.Items, TransferItem{Name: up.Name, MIME: up.MIME, Size: up.Size, Sent: p.sent(), Path: up.Path, Reader: up.Reader,
				Width: up.Width, Height: up.Height, Duration: up.Duration, Voice: up.Voice, Waveform: slices.Clone(up.Waveform)})
		}
	}
	switch {
	case it.state == Sent:
		t.State, t.Sent = TransferSent, t.Size
	case it.state == Failed:
		t.State = TransferFailed
	case f.ready:
		t.State = TransferSending
	case f.paused:
		t.State = TransferPaused
	case preparing && f.sent() == 0:
		t.State = TransferPreparing
	case busy:
		t.State = TransferUploading
		t.BytesPerSecond, t.Left = int64(f.pace.rate), f.pace.left(t.Size-t.Sent)
	}
	return t
}

// Pause stops the upload until Resume, also over a restart. What is there
// stays there, for as long as the operator says: usually a day.
//
// Errors: NotFound when it is not under way (any more).
func (t Transfer) Pause(ctx context.Context) error { return t.hold(ctx, true) }

// Resume goes on with an upload that was paused, and tries again what has
// failed. Errors: NotFound when it is not under way (any more).
func (t Transfer) Resume(ctx context.Context) error { return t.hold(ctx, false) }

func (t Transfer) hold(ctx context.Context, paused bool) error {
	c := t.c
	var missing error
	err := c.do(ctx, func() {
		_, it := c.st.itemByID(t.ID)
		if it == nil || it.files == nil || it.state == Sent || it.state == Failed && paused || it.files.ready && it.state == Sending {
			missing = errorf(NotFound, nil, "the transfer is not under way")
			return
		}
		if it.state == Failed {
			missing = c.again(it)
			return
		}
		c.mu.Lock()
		it.files.paused = paused
		c.mu.Unlock()
		c.dirty.outbox[it.id] = true
		for _, p := range it.files.parts {
			p.notBefore = 0
		}
		c.tellUpload(it)
	})
	if err != nil {
		return err
	}
	return missing
}

// Cancel takes the message out of the outbox and its files from the server, as
// Discard does. Errors: NotFound when it is not in the outbox (any more).
func (t Transfer) Cancel(ctx context.Context) error {
	return t.c.Conversation(t.Conversation).Discard(ctx, Message{ID: t.ID, Conversation: t.Conversation})
}
