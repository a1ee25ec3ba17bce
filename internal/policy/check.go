package policy

import (
	"regexp"
	"slices"
	"strings"
)

var (
	vendor     = regexp.MustCompile(`^[a-zA-Z0-9.-]+$`)
	actionName = regexp.MustCompile(`^[a-zA-Z0-9*?_-]+$`)
	partition  = regexp.MustCompile(`^(?:aws[a-z*-]*|\*)$`)
)

// checkAction returns what is wrong with an Action value, in IAM's words and, if
// they do not tell it, in ours.
func checkAction(a string) (sentence, detail string) {
	if a == "*" {
		return "", ""
	}
	prefix, rest, found := strings.Cut(a, ":")
	switch {
	case !found:
		return noVendor, ""
	case strings.Contains(rest, ":"):
		return manyColons, ""
	case prefix != "*" && !vendor.MatchString(prefix):
		return "Vendor " + prefix + " is not valid", ""
	case !actionName.MatchString(rest):
		return legacyParsing, "an action's name has letters, digits, *, ?, - and _"
	}
	return "", ""
}

// iamPaths are what the last part of an IAM ARN begins with.
var iamPaths = []string{
	"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/",
	"policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
}

// checkResource returns what is wrong with a Resource value, in IAM's words and,
// if they do not tell it, in ours. A short ARN that ends in a star is let
// through, as there.
func checkResource(r string) (sentence, detail string) {
	if r == "*" {
		return "", ""
	}
	// A variable's colon is none of the ARN's.
	p := strings.SplitN(braces.ReplaceAllString(r, "${}"), ":", 6)
	if len(p) < 2 || p[0] != "arn" {
		return `Resource ` + r + ` must be in ARN format or "*".`, ""
	}
	if !partition.MatchString(p[1]) {
		return `Partition "` + p[1] + `" is not valid for resource "` + r + `".`, ""
	}
	if len(p) < 3 || p[2] != "*" && !vendor.MatchString(p[2]) {
		return vendorWildcard, ""
	}
	if len(p) < 6 && !strings.HasSuffix(r, "*") {
		return legacyParsing, "an ARN has six parts: arn:partition:service:region:account:resource"
	}
	if p[2] != "iam" || len(p) < 6 {
		return "", ""
	}
	if p[3] != "" {
		return "IAM resource " + r + " cannot contain region information.", ""
	}
	if p[5] != "*" && !slices.ContainsFunc(iamPaths, func(start string) bool { return strings.HasPrefix(p[5], start) }) {
		return `IAM resource path must either be "*" or start with ` + strings.Join(iamPaths, ", ") + `.`, ""
	}
	return "", ""
}

var braces = regexp.MustCompile(`\$\{[^}]*\}`)
