// Package skein is the Go client of Skein.
package skein
