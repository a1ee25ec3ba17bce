package lifecycle

// The schema of a policy. ECR does not publish its own: the members, types and
// limits are the User Guide's (lifecycle_policy_parameters.html), and how they
// are spread over it is told by what it answered to others: tag lists are looked
// at beside the count, which is one of four, and an action is one of two.
// testdata/parse.txt names who saw which answer.
var (
	ecrSchema      = policySchema(ecrRule)
	extendedSchema = policySchema(&schema{choose: chooseRule})
	ecrRule        = ruleSchema(actionSchema(), selectionSchema())
	retainRule     = ruleSchema(oneAction("retain"), retainSelectionSchema())
)

// maxRules is ECR's quota of rules per policy.
const maxRules = 50

// minArchived is how many days ECR keeps what it archived.
const minArchived = 90

// chooseRule lets a rule that retains look different.
func chooseRule(value any) *schema {
	rule, _ := value.(map[string]any)
	action, _ := rule["action"].(map[string]any)
	if action["type"] == "retain" {
		return retainRule
	}
	return ecrRule
}

func policySchema(rule *schema) *schema {
	return &schema{
		kind: "object", closed: true, required: []string{"rules"},
		properties: map[string]*schema{"rules": {kind: "array", minItems: 1, maxItems: maxRules, items: rule}},
	}
}

func ruleSchema(action, selection *schema) *schema {
	return &schema{
		kind: "object", closed: true, required: []string{"action", "rulePriority", "selection"},
		properties: map[string]*schema{
			"rulePriority": {kind: "integer", minimum: 1},
			"description":  {kind: "string"},
			"selection":    selection,
			"action":       action,
		},
	}
}

func actionSchema() *schema {
	expire := oneAction("expire")
	transition := oneAction("transition")
	transition.properties["targetStorageClass"] = &schema{enum: []string{"archive"}}
	return &schema{oneOf: []*schema{expire, transition}}
}

func oneAction(word string) *schema {
	return &schema{
		kind: "object", closed: true, required: []string{"type"},
		properties: map[string]*schema{"type": {enum: []string{word}}},
	}
}

func selectionSchema() *schema {
	s := openSelectionSchema()
	s.required = []string{"countNumber", "countType", "tagStatus"}
	s.oneOf = []*schema{
		countSchema("imageCountMoreThan", nil, "countUnit"),
		countSchema("sinceImagePushed", []string{"countUnit"}),
		countSchema("sinceImagePulled", []string{"countUnit"}),
		countSchema("sinceImageTransitioned", []string{"countUnit", "storageClass"}),
	}
	s.oneOf[3].properties["storageClass"] = &schema{enum: []string{"archive"}}
	s.oneOf[3].properties["countNumber"] = &schema{minimum: minArchived}
	return s
}

// retainSelectionSchema is the selection of a rule that retains: it may do
// without a count, and there is no shortest time in the archive.
func retainSelectionSchema() *schema {
	s := openSelectionSchema()
	s.required = []string{"tagStatus"}
	s.oneOf = []*schema{
		{kind: "object", forbidden: []string{"countType", "countUnit", "countNumber"}},
		countSchema("imageCountMoreThan", []string{"countNumber", "countType"}, "countUnit"),
		countSchema("sinceImagePushed", []string{"countNumber", "countType", "countUnit"}),
		countSchema("sinceImagePulled", []string{"countNumber", "countType", "countUnit"}),
		countSchema("sinceImageTransitioned", []string{"countNumber", "countType", "countUnit", "storageClass"}),
	}
	s.oneOf[4].properties["storageClass"] = &schema{enum: []string{"archive"}}
	return s
}

func openSelectionSchema() *schema {
	list := &schema{kind: "array", items: &schema{kind: "string"}}
	return &schema{
		kind: "object", closed: true,
		properties: map[string]*schema{
			"tagStatus":      {enum: []string{"any", "tagged", "untagged"}},
			"tagPatternList": list,
			"tagPrefixList":  list,
			"storageClass":   {enum: []string{"archive", "standard"}},
			"countType":      {kind: "string"},
			"countUnit":      {enum: []string{"days"}},
			"countNumber":    {kind: "integer", minimum: 1},
		},
	}
}

// countSchema is one way to count.
func countSchema(countType string, required []string, forbidden ...string) *schema {
	return &schema{
		kind: "object", required: required, forbidden: forbidden,
		properties: map[string]*schema{"countType": {enum: []string{countType}}},
	}
}
