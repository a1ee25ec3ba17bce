// Command lighterage is a container image registry that AWS and Docker clients
// use unchanged.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
		Short:         "A container image registry with the APIs of Amazon ECR, Amazon Lightsail, AWS IAM and Docker",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newServe(args[0]), newEnv(), newVersion(), newAccount(), newUser(), newKey(), newPolicy(), newToken(), newLifecycle(), newAudit())
	root.SetArgs(args[1:])
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err != nil {
		fmt.Fprintln(stderr, "lighterage:", err)
	}
	return exitCode(err)
}

// flagError says in a sentence what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok && e.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		sentence := "there is no flag --" + e.GetSpecifiedName()
		if n := config.Nearest(e.GetSpecifiedName(), names); n != "" {
			sentence += "; did you mean --" + n + "?"
		}
		return usageError{errors.New(sentence)}
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok && e.GetFlag().Value.Type() == "bool" {
		key := e.GetFlag().Name
		return &config.Error{Key: key, Source: "--" + key, Err: fmt.Errorf("%q is neither true nor false", e.GetValue())}
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok && strings.HasPrefix(e.GetFlag().Value.Type(), "int") {
		key := e.GetFlag().Name
		return &config.Error{Key: key, Source: "--" + key, Err: fmt.Errorf("%q is not a whole number", e.GetValue())}
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usageError{fmt.Errorf("--%s needs a value", e.GetFlag().Name)}
	}
	return usageError{err}
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
		sentence := fmt.Sprintf("%q is nothing that %s knows; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		if n := config.Nearest(args[0], names); n != "" {
			sentence = fmt.Sprintf("%q is nothing that %s knows; did you mean %s?", args[0], cmd.CommandPath(), n)
		}
		return usageError{errors.New(sentence)}
	}
	return nil
}
