package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/spf13/cobra"
)

const simulateHelp = `Simulate tells whether a principal may do an action on a resource, and of every
statement of every policy that has a say, whether it matched and why. Nothing is
done.

  --principal  an ARN, the name of a user, or role/NAME
  --action     as ecr:PutImage
  --resource   an ARN, *, or the name of a repository in the principal's account
               and the region of --region

Context keys, such as aws:SourceIp=10.0.0.1, hold in the place of what a request
would bring. One that is given more than once has several values.`

// decision is what the server answers.
type decision struct {
	Allowed    bool   `json:"allowed"`
	Decision   string `json:"decision"`
	Reason     string `json:"reason"`
	Statements []struct {
		Layer   string   `json:"layer"`
		Policy  string   `json:"policy"`
		Index   int      `json:"index"`
		Sid     string   `json:"sid,omitempty"`
		Effect  string   `json:"effect"`
		Matched bool     `json:"matched"`
		Why     string   `json:"why"`
		Missing []string `json:"missingContextKeys,omitempty"`
	} `json:"statements"`
}

func newPolicySimulate(r *remote) *cobra.Command {
	var principal, action, resource string
	var given []string
	cmd := r.command("simulate", "Explain what a principal may do, statement by statement", nil,
		func(ctx context.Context, s *session, _ []string) error {
			values, err := contextValues(given)
			if err != nil {
				return err
			}
			for _, flag := range [][2]string{{"principal", principal}, {"action", action}, {"resource", resource}} {
				if flag[1] == "" {
					return usageError{fmt.Errorf("--%s must be given; see lighterage policy simulate --help", flag[0])}
				}
			}
			who, err := s.principalARN(ctx, principal)
			if err != nil {
				return err
			}
			var out decision
			in := map[string]any{"principalArn": who, "action": action, "resourceArn": s.resourceARN(resource, who), "context": values}
			if err := s.call(ctx, "SimulateDecision", in, &out); err != nil {
				return err
			}
			return s.showDecision(out)
		})
	cmd.Long = simulateHelp + remoteHelp
	cmd.Flags().StringVar(&principal, "principal", "", "`who` would ask")
	cmd.Flags().StringVar(&action, "action", "", "IAM `action`")
	cmd.Flags().StringVar(&resource, "resource", "", "`what` it would be done to")
	cmd.Flags().StringArrayVar(&given, "context", nil, "`key=value` of a condition key, may be given more than once")
	return cmd
}

func contextValues(given []string) (map[string][]string, error) {
	values := map[string][]string{}
	for _, pair := range given {
		key, v, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usageError{errors.New("--context takes key=value, as aws:SourceIp=10.0.0.1")}
		}
		values[key] = append(values[key], v)
	}
	return values, nil
}

// principalARN is the ARN of a principal that is given by ARN or by name.
func (s *session) principalARN(ctx context.Context, given string) (string, error) {
	if strings.HasPrefix(given, "arn:") {
		return given, nil
	}
	if role, ok := strings.CutPrefix(given, "role/"); ok {
		out, err := s.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &role})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.Role.Arn), nil
	}
	out, err := s.iam.GetUser(ctx, &iam.GetUserInput{UserName: aws.String(strings.TrimPrefix(given, "user/"))})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.User.Arn), nil
}

// resourceARN is the ARN of a repository that is given by name.
func (s *session) resourceARN(given, principal string) string {
	if given == "*" || strings.HasPrefix(given, "arn:") {
		return given
	}
	account := ""
	if parts := strings.Split(principal, ":"); len(parts) > 4 {
		account = parts[4]
	}
	return "arn:aws:ecr:" + s.aws.Region + ":" + account + ":repository/" + given
}

func (s *session) showDecision(d decision) error {
	t := table{head: []string{"LAYER", "POLICY", "STATEMENT", "EFFECT", "MATCHED", "WHY"}}
	for _, l := range d.Statements {
		matched := "no"
		if l.Matched {
			matched = "yes"
		}
		why := l.Why
		if len(l.Missing) > 0 {
			why += " (no value: " + strings.Join(l.Missing, ", ") + ")"
		}
		t.rows = append(t.rows, []string{l.Layer, l.Policy, cmp.Or(l.Sid, strconv.Itoa(l.Index+1)), l.Effect, matched, why})
	}
	if s.json {
		return s.show(d, t)
	}
	verdict := "DENIED"
	if d.Allowed {
		verdict = "ALLOWED"
	}
	fmt.Fprintf(s.out, "%s  %s\n", verdict, oneLine(d.Reason))
	if len(t.rows) == 0 {
		return nil
	}
	fmt.Fprintln(s.out)
	return t.print(s.out)
}
