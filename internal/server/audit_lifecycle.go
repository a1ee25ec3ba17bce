package server

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/name"
)

// journal records what lifecycle policies do, in the shape of CloudTrail's
// events of them (ECR user guide, logging actions with CloudTrail). Unlike
// theirs, an event is not said to be read only.
type journal struct{ *auditor }

// Ready implements lifecycle.Journal.
func (j journal) Ready() error { return j.ready() }

// internal is how CloudTrail calls whoever does what no request asked for.
const internal = "AWS Internal"

// Record implements lifecycle.Journal.
func (j journal) Record(x lifecycle.Execution) {
	if j.trail == nil {
		return
	}
	account, arn := string(x.Key.Registry.Account), name.RepositoryARN(x.Key.Registry, x.Key.Name)
	e := audit.Event{
		Identity: audit.Identity{Type: "AWSService", AccountID: account, InvokedBy: internal},
		Time:     j.clock(), Source: source("ecr"), Name: "PolicyExecutionEvent", Region: string(x.Key.Registry.Region),
		SourceIP: internal, UserAgent: internal, Type: "AwsServiceEvent", ManagementEvent: true, RecipientAccountID: account,
		Resources: []audit.Resource{{AccountID: account, Type: resourceType("ecr", "repository"), ARN: arn}},
	}
	details, err := json.Marshal(executionOf(x))
	if err != nil { // there is nothing in it that has no JSON
		j.log.Error("what a lifecycle policy did cannot be told in the audit trail", "error", err, "repository", arn)
	}
	e.ServiceDetails = details
	j.write(&e)
}

type (
	executed struct {
		RepositoryName string           `json:"repositoryName"`
		Policy         executedPolicy   `json:"lifecycleEventPolicy"`
		Actions        []executedAction `json:"lifecycleEventImageActions"`
		Failures       []executedAction `json:"lifecycleEventFailureDetails,omitempty"`
	}
	executedPolicy struct {
		Rules           []executedRule `json:"lifecycleEventRules"` // those that acted
		LastEvaluatedAt int64          `json:"lastEvaluatedAt"`     // milliseconds
	}
	executedRule struct {
		Priority    int               `json:"rulePriority"`
		Description string            `json:"description,omitempty"`
		Selection   executedSelection `json:"lifecycleEventSelection"`
		Action      string            `json:"action"`
	}
	executedSelection struct {
		TagStatus string   `json:"tagStatus"`
		Prefixes  []string `json:"tagPrefixList"`
		Patterns  []string `json:"tagPatternList,omitempty"`
		CountType string   `json:"countType"`
		Number    int      `json:"countNumber"`
	}
	executedAction struct {
		Image    executedImage `json:"lifecycleEventImage"`
		Priority int           `json:"rulePriority"`
		Code     string        `json:"failureCode,omitempty"`
		Reason   string        `json:"failureReason,omitempty"`
	}
	executedImage struct {
		Digest    string   `json:"digest"`
		TagStatus string   `json:"tagStatus"`
		Tags      []string `json:"tagList"`
		PushedAt  int64    `json:"pushedAt"` // milliseconds
	}
)

// The tags that one event tells: ECR tells a hundred of an image.
const (
	tagsOfImage = 100
	tagsOfEvent = 500
)

// executionOf tells on what a policy acted, and on what it was to and could not.
func executionOf(x lifecycle.Execution) executed {
	out := executed{
		RepositoryName: string(x.Key.Name), Actions: []executedAction{},
		Policy: executedPolicy{Rules: []executedRule{}, LastEvaluatedAt: milliseconds(x.EvaluatedAt)},
	}
	acted, room := map[int]bool{}, tagsOfEvent
	for _, r := range x.Results {
		tags := append([]string{}, r.Image.Tags[:min(len(r.Image.Tags), tagsOfImage, room)]...)
		room -= len(tags)
		a := executedAction{Priority: r.Priority, Image: executedImage{
			Digest: string(r.Image.Digest), TagStatus: "Untagged", Tags: tags, PushedAt: milliseconds(r.Image.PushedAt),
		}}
		if len(r.Image.Tags) > 0 {
			a.Image.TagStatus = "Tagged"
		}
		acted[r.Priority] = true
		switch r.Outcome {
		case lifecycle.Expired, lifecycle.Archived: // the rule says which
			out.Actions = append(out.Actions, a)
			continue
		case lifecycle.Kept:
			a.Code = "ImageReferencedByManifestList"
		default:
			a.Code = "ImageChanged"
		}
		a.Reason = r.Outcome.String()
		out.Failures = append(out.Failures, a)
	}
	for _, rule := range x.Policy.Rules {
		if acted[rule.Priority] {
			out.Policy.Rules = append(out.Policy.Rules, ruleOf(rule))
		}
	}
	return out
}

func ruleOf(r lifecycle.Rule) executedRule {
	status := r.Status.String()
	return executedRule{
		Priority: r.Priority, Description: cut(r.Description, toldText), Action: r.Action.String(),
		Selection: executedSelection{
			TagStatus: strings.ToUpper(status[:1]) + status[1:], Prefixes: append([]string{}, r.Prefixes...), Patterns: r.Patterns,
			CountType: countTypes[r.Count], Number: r.Number,
		},
	}
}

// countTypes are CloudTrail's words, of which that of imageCountMoreThan is
// known.
var countTypes = map[lifecycle.CountType]string{
	lifecycle.MoreThan: "Image count more than", lifecycle.SincePushed: "Since image pushed",
	lifecycle.SincePulled: "Since image pulled", lifecycle.SinceTransitioned: "Since image transitioned",
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
