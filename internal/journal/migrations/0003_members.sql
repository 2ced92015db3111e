-- Memberships that have ended, by when: what is kept of a large conversation's
-- members in memory is brought up to date by what has changed.
CREATE INDEX membership_ended ON membership (conv_no, changed_pos) WHERE latest = 1 AND to_seq > 0;
