package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go/logging"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lighterage/lighterage/internal/client"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/server"
	"github.com/lighterage/lighterage/internal/sigv4"
)

const remoteHelp = `

The server is the one of --endpoint, LIGHTERAGE_ENDPOINT or AWS_ENDPOINT_URL_IAM,
else the one that runs on the data directory, else http://localhost:5000. The
credentials are those of the AWS clients (AWS_ACCESS_KEY_ID, AWS_PROFILE), else
the root key in the data directory. With --data-dir both are the directory's.`

// patience is how long a server may take for one answer.
const patience = time.Minute

// defaultEndpoint is where lighterage serve listens by default.
const defaultEndpoint = "http://localhost:5000"

// remote is the flags of commands that call a running server.
type remote struct {
	settings *pflag.FlagSet // the server's own flags, of which some are offered
	endpoint string
	json     bool
}

// group is a command that has commands, all of which call a running server.
func group(use, short string, commands ...func(*remote) *cobra.Command) *cobra.Command {
	r := &remote{settings: pflag.NewFlagSet(use, pflag.ContinueOnError)}
	config.AddFlags(r.settings)
	cmd := &cobra.Command{
		Use: use, Short: short, Long: short + "." + remoteHelp, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := cmd.PersistentFlags()
	for _, key := range []string{"data-dir", "region", "config"} {
		flags.AddFlag(r.settings.Lookup(key))
	}
	flags.StringVar(&r.endpoint, "endpoint", "", "`url` of the server")
	flags.BoolVar(&r.json, "json", false, "print JSON in the place of a table")
	for _, c := range commands {
		cmd.AddCommand(c(r))
	}
	return cmd
}

// command is a command that calls a running server. args names its arguments.
func (r *remote) command(use, short string, args []string, run func(context.Context, *session, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: strings.Join(append([]string{use}, args...), " "), Short: short,
		Args: exactly(args),
		RunE: func(cmd *cobra.Command, given []string) error {
			s, err := r.open(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return s.friendly(run(cmd.Context(), s, given))
		},
	}
}

// exactly demands the named arguments.
func exactly(names []string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usageError{fmt.Errorf("%s needs %s; see %s --help", cmd.CommandPath(), names[len(args)], cmd.CommandPath())}
		case len(args) > len(names):
			return usageError{fmt.Errorf("%q is an argument too many; see %s --help", args[len(names)], cmd.CommandPath())}
		}
		return nil
	}
}

// session is a server to call, with credentials, and where to print.
type session struct {
	endpoint string
	aws      aws.Config
	iam      *iam.Client
	out, err io.Writer
	json     bool
}

// open finds the server and the credentials.
func (r *remote) open(ctx context.Context, out, stderr io.Writer) (*session, error) {
	environ := config.Environ()
	c, err := config.Load(r.settings, environ)
	if err != nil {
		return nil, err
	}
	chosen := r.settings.Changed("data-dir")
	running, err := config.ReadRunning(c.DataDir)
	if err != nil && (chosen || !errors.Is(err, fs.ErrNotExist)) {
		return nil, directoryError(c.DataDir, err)
	}
	s := &session{out: out, err: stderr, json: r.json}
	switch {
	case r.endpoint != "":
		s.endpoint = r.endpoint
	case chosen:
		s.endpoint = running.URL
	default:
		s.endpoint = cmp.Or(config.Variable(environ, config.EndpointVariable), config.Variable(environ, "AWS_ENDPOINT_URL_IAM"), running.URL, defaultEndpoint)
	}
	if u, err := url.Parse(s.endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{fmt.Errorf("the endpoint %q is no URL with http:// or https:// and a host", s.endpoint)}
	}
	var region string
	switch {
	case r.settings.Changed("region"):
		region = string(c.Region)
	case s.endpoint == running.URL:
		region = running.Region
	default:
		region = cmp.Or(config.Variable(environ, "AWS_REGION"), config.Variable(environ, "AWS_DEFAULT_REGION"), string(c.Region))
	}
	options := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(patience)), awsconfig.WithRegion(region), awsconfig.WithEC2IMDSClientEnableState(imds.ClientDisabled), awsconfig.WithRetryMaxAttempts(2),
		awsconfig.WithLogger(logging.Nop{}), // what goes wrong is told once, in the end
	}
	if s.endpoint == running.URL && running.CA != "" {
		ca, err := os.ReadFile(running.CA)
		if err != nil {
			return nil, directoryError(c.DataDir, err)
		}
		options = append(options, awsconfig.WithCustomCABundle(bytes.NewReader(ca)))
	}
	key, err := config.StoredCredentials(c.DataDir)
	switch {
	case err == nil && (chosen || !hasAWS(environ)):
		options = append(options, awsconfig.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey.Reveal(), "")))
	case err != nil && (chosen || !errors.Is(err, fs.ErrNotExist)):
		return nil, directoryError(c.DataDir, err)
	}
	if s.aws, err = awsconfig.LoadDefaultConfig(ctx, options...); err != nil {
		if e, ok := errors.AsType[awsconfig.SharedConfigProfileNotExistError](err); ok {
			return nil, fmt.Errorf("the AWS configuration has no profile %s; see AWS_PROFILE", e.Profile)
		}
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	if _, err := s.aws.Credentials.Retrieve(ctx); err != nil {
		switch {
		case !hasAWS(environ):
			return nil, errNoCredentials
		case config.Variable(environ, "AWS_ACCESS_KEY_ID") != "" && config.Variable(environ, "AWS_SECRET_ACCESS_KEY") == "":
			return nil, errNoSecret
		}
		return nil, fmt.Errorf("AWS credentials: %w", err)
	}
	s.iam = iam.NewFromConfig(s.aws, func(o *iam.Options) { o.BaseEndpoint = &s.endpoint })
	return s, nil
}

var errNoCredentials = errors.New("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or name the server's data directory with --data-dir")

var errNoSecret = errors.New("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY, which goes with it")

// directoryError says what is the matter with a data directory.
func directoryError(dir string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no server has run with the data directory %s; start one with lighterage serve, or name its directory with --data-dir", dir)
	}
	return &server.StoreError{Err: err}
}

// hasAWS reports whether the environment says which AWS credentials are meant.
func hasAWS(environ []string) bool {
	for _, v := range []string{"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		if config.Variable(environ, v) != "" {
			return true
		}
	}
	return false
}

// call does one of the server's own operations.
func (s *session) call(ctx context.Context, operation string, in, out any) error {
	key, err := s.aws.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	c := client.Client{
		HTTP: s.aws.HTTPClient, Endpoint: s.endpoint, Service: "lighterage", TargetPrefix: "Lighterage_20261101", Region: s.aws.Region,
		Credentials: sigv4.Credentials{KeyID: key.AccessKeyID, Secret: key.SecretAccessKey, SessionToken: key.SessionToken},
		Clock:       time.Now,
	}
	return c.Call(ctx, operation, in, out)
}

// table is what people see.
type table struct {
	head []string
	rows [][]string
}

// show prints v as JSON, or else the table.
func (s *session) show(v any, t table) error {
	if s.json {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	return t.print(s.out)
}

func (t table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, row := range append([][]string{t.head}, t.rows...) {
		if i == 0 && t.head == nil {
			continue
		}
		for j, cell := range row {
			row[j] = oneLine(cmp.Or(cell, "-"))
		}
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}

// oneLine keeps what others have named from drawing on the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// note tells a person something that is no part of the output.
func (s *session) note(format string, args ...any) { fmt.Fprintf(s.err, format+"\n", args...) }

// timeOf is how tables and JSON show a time.
func timeOf(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// input reads a file, or for "-" what comes in, and says what to call it.
func input(path string) (text, called string, err error) {
	var b []byte
	if path == "-" {
		called = "standard input"
		b, err = io.ReadAll(os.Stdin)
	} else {
		called = path
		b, err = os.ReadFile(path)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	if err != nil {
		return "", called, usageError{fmt.Errorf("%s cannot be read: %w", called, err)}
	}
	return string(b), called, nil
}
