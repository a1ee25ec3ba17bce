// Command lighterage is a container image registry that AWS and Docker clients
// use unchanged.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/server"
)

// The exit codes, as help serve lists them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitStore  = 3
)

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// run executes the command line and says in one line why it failed.
func run(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "lighterage",
		Short:         "A container image registry with the APIs of Amazon ECR, Amazon Lightsail and Docker",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newServe(args[0]), newEnv(), newVersion())
	root.SetArgs(args[1:])
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err != nil {
		fmt.Fprintln(stderr, "lighterage:", err)
	}
	return exitCode(err)
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*server.StoreError](err); ok {
		return exitStore
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// noArguments refuses arguments as a usage error.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%q is nothing that %s knows; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())}
	}
	return nil
}
