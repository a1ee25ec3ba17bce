package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/server"
)

func newEnv() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "env",
		Short: `Print what points AWS clients to the running server, for eval "$(lighterage env)"`,
		Long: `Env prints export lines with the address, region and root access key of the
server that uses the data directory. It sets the endpoints of ECR, Lightsail,
IAM and STS alone, so that other AWS services stay where they are.`,
		Args: noArguments,
	}
	config.AddFlags(cmd.Flags())
	hideAllBut(cmd, "data-dir", "region", "config")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := config.Load(cmd.Flags(), config.Environ())
		if err != nil {
			return err
		}
		running, err := config.ReadRunning(c.DataDir)
		if errors.Is(err, fs.ErrNotExist) {
			return &server.StoreError{Err: fmt.Errorf("no server has run with the data directory %s; start one with lighterage serve, or name its directory with --data-dir", c.DataDir)}
		}
		if err != nil {
			return &server.StoreError{Err: err}
		}
		key, err := config.StoredCredentials(c.DataDir)
		if err != nil {
			return &server.StoreError{Err: err}
		}
		if cmd.Flags().Changed("region") {
			running.Region = string(c.Region)
		}
		writeExports(cmd.OutOrStdout(), running, key)
		return nil
	}
	return cmd
}

func hideAllBut(cmd *cobra.Command, shown ...string) {
	keep := " " + strings.Join(shown, " ") + " "
	for _, name := range config.Keys() {
		cmd.Flags().Lookup(name).Hidden = !strings.Contains(keep, " "+name+" ")
	}
}

func writeExports(w io.Writer, r config.Running, c config.Credentials) {
	for _, line := range [][2]string{
		{"AWS_ENDPOINT_URL_ECR", r.URL},
		{"AWS_ENDPOINT_URL_LIGHTSAIL", r.URL},
		{"AWS_ENDPOINT_URL_STS", r.URL},
		{"AWS_ENDPOINT_URL_IAM", r.URL},
		{"AWS_REGION", r.Region},
		{"AWS_DEFAULT_REGION", r.Region},
		{"AWS_ACCESS_KEY_ID", c.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", c.SecretAccessKey.Reveal()},
		{"AWS_SESSION_TOKEN", ""}, // of other credentials, it would spoil every request
	} {
		fmt.Fprintf(w, "export %s=%s\n", line[0], quote(line[1]))
	}
	if r.CA != "" {
		fmt.Fprintf(w, "export AWS_CA_BUNDLE=%s\n", quote(r.CA))
	}
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// quote makes one word of a POSIX shell.
func quote(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
