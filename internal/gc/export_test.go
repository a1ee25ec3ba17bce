package gc

import "context"

// PlanReviews is planReviews.
func (c *Collector) PlanReviews(ctx context.Context) ([]Step, error) { return c.planReviews(ctx) }
