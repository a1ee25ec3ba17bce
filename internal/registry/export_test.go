package registry

// Buffered returns the bytes of uploads that are counted as held in memory,
// and those that are held.
func (c *Catalogue) Buffered() (counted, held int) {
	for _, s := range c.uploads.all() {
		s.mu.Lock()
		held += len(s.buf)
		s.mu.Unlock()
	}
	c.uploads.mu.Lock()
	defer c.uploads.mu.Unlock()
	return c.uploads.buffered, held
}

// Sessions returns the number of uploads in memory.
func (c *Catalogue) Sessions() int { return len(c.uploads.all()) }

// RecallMax is the bound of Remembered.
const RecallMax = recallMax

// Remembered returns the bytes that answers in memory are counted as.
func (c *Catalogue) Remembered() int64 {
	e := c.recall.era.Load()
	if e == nil {
		return 0
	}
	return recallMax - e.room.Load()
}
