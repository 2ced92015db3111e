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
