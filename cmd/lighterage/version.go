package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// What the linker was told with -X, for builds outside of a checkout or
// without the go command's stamps; empty: what the build info says.
var (
	version string // as git describe has it
	commit  string
	date    string // of the commit, RFC 3339
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, commit and date",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{}
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine(build{version, commit, date}, info))
			return err
		},
	}
}

// build is what is known of a build; what is not is empty.
type build struct{ version, commit, date string }

// versionLine tells the version, and the commit it was built from with its
// date. What the linker was told counts for more than the build info.
func versionLine(told build, info *debug.BuildInfo) string {
	var stamped build
	changed := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			stamped.commit = s.Value
		case "vcs.time":
			stamped.date = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				changed = "with changes"
			}
		}
	}
	version := cmp.Or(told.version, info.Main.Version, "(devel)")
	var of []string
	for _, part := range []string{prefixed("commit ", cmp.Or(told.commit, stamped.commit)), changed, cmp.Or(told.date, stamped.date)} {
		if part != "" {
			of = append(of, part)
		}
	}
	if len(of) > 0 {
		version += " (" + strings.Join(of, ", ") + ")"
	}
	return fmt.Sprintf("lighterage %s %s %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
