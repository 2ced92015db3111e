package call

import "context"

// Gather takes in what lies in the folder of recordings, now.
func (s *Service) Gather(ctx context.Context) { s.gather(ctx, map[string]retry{}) }
