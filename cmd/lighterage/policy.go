package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/spf13/cobra"

	"github.com/lighterage/lighterage/internal/policy"
)

func newPolicy() *cobra.Command {
	return group("policy", "Make, show, list, delete, attach and try policies",
		newPolicyCreate, newPolicyGet, newPolicyList, newPolicyDelete, newPolicyAttach, newPolicyDetach, newPolicySimulate)
}

// policyView is a managed policy as commands print it.
type policyView struct {
	Name      string `json:"policyName"`
	ARN       string `json:"arn"`
	Version   string `json:"defaultVersion"`
	Attached  int32  `json:"attachments"`
	CreatedAt string `json:"createdAt"`
}

func viewPolicy(p types.Policy) policyView {
	return policyView{aws.ToString(p.PolicyName), aws.ToString(p.Arn), aws.ToString(p.DefaultVersionId), aws.ToInt32(p.AttachmentCount), timeOf(p.CreateDate)}
}

func newPolicyCreate(r *remote) *cobra.Command {
	var path, description string
	cmd := r.command("create", "Make a managed policy from a JSON document; - is the standard input", []string{"NAME", "FILE"},
		func(ctx context.Context, s *session, args []string) error {
			document, called, err := input(args[1])
			if err != nil {
				return err
			}
			if err := checkDocument(called, document); err != nil {
				return err
			}
			out, err := s.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{
				PolicyName: &args[0], PolicyDocument: &document, Path: optional(path), Description: optional(description),
			})
			if err != nil {
				return err
			}
			v := viewPolicy(*out.Policy)
			return s.show(v, table{rows: [][]string{{"policy", v.Name}, {"arn", v.ARN}}})
		})
	cmd.Flags().StringVar(&path, "path", "", "`path` that begins and ends with a slash (default: /)")
	cmd.Flags().StringVar(&description, "description", "", "`text` about it")
	return cmd
}

// checkDocument refuses what the server would, but says where it is wrong.
func checkDocument(file, document string) error {
	_, err := policy.Parse(policy.Managed, document)
	wrong, ok := errors.AsType[*policy.Error](err)
	if !ok {
		return err
	}
	before := document[:wrong.At]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	if wrong.Detail == "" {
		return fmt.Errorf("%s:%d:%d: %s", file, line, column, wrong.Sentence)
	}
	return fmt.Errorf("%s:%d:%d: %s (IAM says: %s)", file, line, column, wrong.Detail, wrong.Sentence)
}

func newPolicyGet(r *remote) *cobra.Command {
	return r.command("get", "Print the document of a managed policy, as its default version has it", []string{"POLICY"},
		func(ctx context.Context, s *session, args []string) error {
			arn, err := s.policyARN(ctx, args[0])
			if err != nil {
				return err
			}
			p, err := s.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})
			if err != nil {
				return err
			}
			version, err := s.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: p.Policy.DefaultVersionId})
			if err != nil {
				return err
			}
			document, err := url.PathUnescape(aws.ToString(version.PolicyVersion.Document))
			if err != nil {
				return fmt.Errorf("document of %s: %w", *arn, err)
			}
			if s.json {
				return s.show(struct {
					policyView
					Document json.RawMessage `json:"document"`
				}{viewPolicy(*p.Policy), json.RawMessage(quiet(document))}, table{})
			}
			_, err = fmt.Fprintln(s.out, strings.TrimRight(quiet(document), "\n"))
			return err
		})
}

// quiet escapes, as JSON may, what would draw on the terminal.
func quiet(document string) string {
	var b strings.Builder
	for _, r := range document {
		if 0x7f <= r && r < 0xa0 {
			fmt.Fprintf(&b, "\\u%04x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// scopes are what policy list can list.
var scopes = map[string]types.PolicyScopeType{
	"local": types.PolicyScopeTypeLocal, "aws": types.PolicyScopeTypeAws, "all": types.PolicyScopeTypeAll,
}

func newPolicyList(r *remote) *cobra.Command {
	var scope string
	cmd := r.command("list", "List the managed policies", nil, func(ctx context.Context, s *session, _ []string) error {
		asked, ok := scopes[scope]
		if !ok {
			return usageError{fmt.Errorf("--scope %q is none of local, aws and all", scope)}
		}
		views, t := []policyView{}, table{head: []string{"POLICY", "ARN", "VERSION", "ATTACHED", "CREATED"}}
		err := s.eachPolicy(ctx, asked, func(p types.Policy) bool {
			v := viewPolicy(p)
			views = append(views, v)
			t.rows = append(t.rows, []string{v.Name, v.ARN, v.Version, strconv.Itoa(int(v.Attached)), v.CreatedAt})
			return true
		})
		if err != nil {
			return err
		}
		return s.show(views, t)
	})
	cmd.Flags().StringVar(&scope, "scope", "local", "`which`: local, aws or all")
	return cmd
}

// eachPolicy gives managed policies until yield returns false.
func (s *session) eachPolicy(ctx context.Context, scope types.PolicyScopeType, yield func(types.Policy) bool) error {
	pages := iam.NewListPoliciesPaginator(s.iam, &iam.ListPoliciesInput{Scope: scope})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, p := range page.Policies {
			if !yield(p) {
				return nil
			}
		}
	}
	return nil
}

// policyARN is the ARN of a policy that is given by ARN or by name. Of two with
// one name, it is the account's own and not AWS's.
func (s *session) policyARN(ctx context.Context, given string) (*string, error) {
	if strings.HasPrefix(given, "arn:") {
		return &given, nil
	}
	for _, scope := range []types.PolicyScopeType{types.PolicyScopeTypeLocal, types.PolicyScopeTypeAws} {
		var found *string
		err := s.eachPolicy(ctx, scope, func(p types.Policy) bool {
			if aws.ToString(p.PolicyName) == given {
				found = p.Arn
			}
			return found == nil
		})
		if err != nil || found != nil {
			return found, err
		}
	}
	return nil, fmt.Errorf("there is no policy %s; lighterage policy list --scope all has them", given)
}

func newPolicyDelete(r *remote) *cobra.Command {
	var force bool
	cmd := r.command("delete", "Delete a managed policy", []string{"POLICY"},
		func(ctx context.Context, s *session, args []string) error {
			arn, err := s.policyARN(ctx, args[0])
			if err != nil {
				return err
			}
			if force {
				if err := s.free(ctx, arn); err != nil {
					return err
				}
			}
			if _, err := s.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn}); err != nil {
				return err
			}
			return s.show(map[string]string{"deleted": *arn}, table{rows: [][]string{{"deleted", *arn}}})
		})
	cmd.Flags().BoolVar(&force, "force", false, "detach it from everybody and delete its other versions first")
	return cmd
}

// free takes from a policy all that keeps it from being deleted.
func (s *session) free(ctx context.Context, arn *string) error {
	for {
		out, err := s.iam.ListEntitiesForPolicy(ctx, &iam.ListEntitiesForPolicyInput{PolicyArn: arn, PolicyUsageFilter: types.PolicyUsageTypePermissionsPolicy})
		if err != nil {
			return err
		}
		for _, u := range out.PolicyUsers {
			if err := s.detach(ctx, arn, holder{user: aws.ToString(u.UserName)}); err != nil {
				return err
			}
		}
		for _, g := range out.PolicyGroups {
			if err := s.detach(ctx, arn, holder{group: aws.ToString(g.GroupName)}); err != nil {
				return err
			}
		}
		for _, r := range out.PolicyRoles {
			if err := s.detach(ctx, arn, holder{role: aws.ToString(r.RoleName)}); err != nil {
				return err
			}
		}
		if len(out.PolicyUsers)+len(out.PolicyGroups)+len(out.PolicyRoles) == 0 {
			break
		}
	}
	out, err := s.iam.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn})
	if err != nil {
		return err
	}
	for _, v := range out.Versions {
		if v.IsDefaultVersion {
			continue
		}
		if _, err := s.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: v.VersionId}); err != nil {
			return err
		}
	}
	return nil
}

// holder is whom a policy is attached to: one of them is set.
type holder struct{ user, group, role string }

func (h *holder) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.user, "user", "", "`name` of a user")
	cmd.Flags().StringVar(&h.group, "group", "", "`name` of a group")
	cmd.Flags().StringVar(&h.role, "role", "", "`name` of a role")
}

func (h *holder) check() error {
	named := 0
	for _, n := range []string{h.user, h.group, h.role} {
		if n != "" {
			named++
		}
	}
	if named != 1 {
		return usageError{errors.New("one of --user, --group and --role must be given")}
	}
	return nil
}

func (h *holder) String() string { return h.user + h.group + h.role }

func newPolicyAttach(r *remote) *cobra.Command {
	return attachCommand(r, "attach", "Give a user, group or role a managed policy", "attached", (*session).attach)
}

func newPolicyDetach(r *remote) *cobra.Command {
	return attachCommand(r, "detach", "Take a managed policy from a user, group or role", "detached", (*session).detach)
}

func attachCommand(r *remote, use, short, done string, do func(*session, context.Context, *string, holder) error) *cobra.Command {
	var h holder
	cmd := r.command(use, short, []string{"POLICY"}, func(ctx context.Context, s *session, args []string) error {
		if err := h.check(); err != nil {
			return err
		}
		arn, err := s.policyARN(ctx, args[0])
		if err != nil {
			return err
		}
		if err := do(s, ctx, arn, h); err != nil {
			return err
		}
		return s.show(map[string]string{done: *arn, "of": h.String()}, table{rows: [][]string{{done, *arn}, {"of", h.String()}}})
	})
	h.flags(cmd)
	return cmd
}

func (s *session) attach(ctx context.Context, arn *string, h holder) (err error) {
	switch {
	case h.user != "":
		_, err = s.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{PolicyArn: arn, UserName: &h.user})
	case h.group != "":
		_, err = s.iam.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{PolicyArn: arn, GroupName: &h.group})
	default:
		_, err = s.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{PolicyArn: arn, RoleName: &h.role})
	}
	return err
}

func (s *session) detach(ctx context.Context, arn *string, h holder) (err error) {
	switch {
	case h.user != "":
		_, err = s.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{PolicyArn: arn, UserName: &h.user})
	case h.group != "":
		_, err = s.iam.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyInput{PolicyArn: arn, GroupName: &h.group})
	default:
		_, err = s.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{PolicyArn: arn, RoleName: &h.role})
	}
	return err
}
