package call

import "context"

// SweepCalls sweeps so many calls.
func (s *Service) SweepCalls(ctx context.Context, most int) error { return s.sweepCalls(ctx, most) }

// Gather takes in what lies in the folder of recordings, now.
func (s *Service) Gather(ctx context.Context) { s.gather(ctx, map[string]retry{}) }
