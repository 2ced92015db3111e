package media

import "math"

// ofSizes makes a waveform of the sizes of compressed frames: what is loud takes
// more bytes, at a bit rate that varies. nil when all are about the same, which
// tells nothing.
func ofSizes(sizes []uint32) []byte {
	if len(sizes) < waves {
		return nil
	}
	var means [waves]float64
	low, high := math.MaxFloat64, 0.0
	for i := range means {
		from, to := i*len(sizes)/waves, (i+1)*len(sizes)/waves
		for _, n := range sizes[from:to] {
			means[i] += float64(n)
		}
		means[i] /= float64(to - from)
		low, high = min(low, means[i]), max(high, means[i])
	}
	if high <= low*1.1 {
		return nil
	}
	out := make([]byte, waves)
	for i, m := range means {
		out[i] = byte((m - low) / (high - low) * 255)
	}
	return out
}

// ofLevels makes a waveform of mean levels: the loudest is 255.
func ofLevels(levels []float64) []byte {
	high := 0.0
	for _, l := range levels {
		high = max(high, l)
	}
	out := make([]byte, len(levels))
	if high > 0 {
		for i, l := range levels {
			out[i] = byte(l / high * 255)
		}
	}
	return out
}
