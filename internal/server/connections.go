package server

import (
	"time"

	"github.com/lighterage/lighterage/internal/edge"
)

// maxConnections is how many clients are connected at most.
const maxConnections = 10_000

// connections are those that this server allows: no more than half of the
// files that the process may open, for the stores need theirs.
func (s *Server) connections() *edge.Connections {
	return edge.NewConnections(max(16, min(maxConnections, openFiles()/2)), edge.Options{
		Logger: s.parts.Logger, Clock: time.Now, Trusted: s.parts.Config.TrustedProxies,
	})
}
