package media

// KillIdle kills the children that have nothing to do and tells how many.
func (p *Pool) KillIdle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		_ = c.cmd.Process.Kill()
	}
	return len(p.idle)
}

// Idle tells how many children have nothing to do.
func (p *Pool) Idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}
