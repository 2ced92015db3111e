//go:build !unix

package health

// Used is 0 where the system does not tell.
func Used(string) (float64, error) { return 0, nil }
