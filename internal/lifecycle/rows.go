package lifecycle

import "github.com/lighterage/lighterage/internal/meta"

// The rows, for the fronts.
type (
	RepositoryID  = meta.RepositoryID
	PreviewState  = meta.LifecyclePreview
	PreviewResult = meta.PreviewResult
	PreviewStatus = meta.PreviewStatus
)

// The statuses, for the fronts.
const (
	PreviewRunning  = meta.PreviewRunning
	PreviewComplete = meta.PreviewComplete
	PreviewFailed   = meta.PreviewFailed
	PreviewExpired  = meta.PreviewExpired
)
