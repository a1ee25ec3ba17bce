package lightsail

import (
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// The model's errors that occur here. AccessDeniedException is the protocol's;
// UnauthenticatedException and the two about setting up never occur: a bad
// signature has the protocol's codes, and nothing has to be set up.
const (
	invalidInput = "InvalidInputException"
	notFound     = "NotFoundException"
	failure      = "ServiceException"
)

// wording is how a reason looks on this wire: the model's error and a text in
// which subjects stand in braces.
type wording struct{ shape, text string }

// serverFailed is all that a client learns of a failure of ours.
var serverFailed = wording{failure, "The request failed because of an internal error of the server."}

// wordings is the table of the reasons that come out of the rules. The text of
// ServiceMissing is Lightsail's (arch-inc/amazon-lightsail-containers-test#3);
// the others follow its tone.
var wordings = map[fault.Reason]wording{
	fault.ServiceNotFound:         {notFound, "The container service {service} does not exist in this account and region."},
	fault.ServiceExists:           {invalidInput, "A container service with the name {service} already exists in this account and region. Choose another name."},
	fault.ServiceMissing:          {invalidInput, "You must create a container service before retrieving container registry login credentials"},
	fault.ImageUnregistered:       {notFound, "No image with the digest {digest} was pushed to the container registry of this account and region. Push it with the login of CreateContainerServiceRegistryLogin, then register the digest that the push reports."},
	fault.RegisteredImageNotFound: {notFound, "The container service {service} has no image {image}."},
	fault.DigestInvalid:           {invalidInput, "{digest} is not a digest. It must be sha256: and 64 hexadecimal digits in lower case, or sha512: and 128."},
	fault.ResourceTagInvalid:      {invalidInput, "The tag key '{value}', or its value, is not valid. A key has 1 to 128 characters, occurs once and does not begin with aws:. A value has at most 256 characters."},
	fault.TooManyTags:             {invalidInput, "A resource can have at most {limit} tags."},
	fault.LimitExceeded:           {invalidInput, "The quota of {limit} {quota} has been reached."},
	fault.FeatureNotOffered:       {invalidInput, "{member} is not offered: {detail}."},
	fault.StoreFull:               {failure, "The storage of the server is full."},
	fault.StoreUnavailable:        {failure, "The server cannot store anything at the moment. Try again."},
}

// byKind words the reasons that have no line of their own: those of other
// doors, and new ones.
var byKind = map[fault.Kind]wording{
	fault.Internal:        serverFailed,
	fault.Unavailable:     serverFailed,
	fault.Invalid:         {invalidInput, "The request has an invalid parameter."},
	fault.Range:           {invalidInput, "The request has an invalid range."},
	fault.TooLarge:        {invalidInput, "The request is too large."},
	fault.Unauthenticated: {"UnrecognizedClientException", "The security token included in the request is invalid."},
	fault.Denied:          {"AccessDeniedException", "Access denied."},
	fault.NotFound:        {notFound, "What the request names does not exist."},
	fault.Conflict:        {invalidInput, "The request conflicts with the state of what it names."},
	fault.Exceeded:        {invalidInput, "A quota has been reached."},
	fault.Unsupported:     {invalidInput, "This server does not offer what the request asks for."},
	fault.Throttled:       {"ThrottlingException", "Rate exceeded"},
}

// wordFault is the service's awsjson.ErrorMapper. Constraints are worded by
// the protocol's style, whether the model or the rules have them.
func wordFault(f *fault.Error) (shape, message string, extra map[string]any, ok bool) {
	if f.Reason == fault.ParameterInvalid {
		return "", "", nil, false
	}
	w, own := wordings[f.Reason]
	if !own {
		w = byKind[f.Kind()]
	}
	return w.shape, fill(w.text, f), nil, true
}

// shown is how much of a client's own text an answer repeats, in bytes.
const shown = 256

// fill puts a fault's subjects into a text.
func fill(text string, f *fault.Error) string {
	short := func(s string) string {
		if len(s) > shown {
			return strings.ToValidUTF8(s[:shown], "") + "…"
		}
		return s
	}
	return strings.NewReplacer(
		"{service}", short(f.Service), "{image}", short(f.Image), "{digest}", short(f.Digest),
		"{member}", f.Member, "{value}", short(f.Value), "{detail}", f.Detail,
		"{quota}", f.Quota, "{limit}", strconv.FormatInt(f.Limit, 10),
	).Replace(text)
}

// tips say what can be done about an error.
var tips = map[string]string{
	invalidInput:            "Correct the request.",
	notFound:                "Check the name, the account and the region.",
	failure:                 "Try again. If it fails again, look at the log of the server.",
	"AccessDeniedException": "Ask for a policy that allows the action.",
}

// errorMembers are the members of every error of the model beside its message.
func errorMembers(shape string) map[string]any {
	return map[string]any{
		"code": shape,
		"docs": "https://docs.aws.amazon.com/lightsail/2016-11-28/api-reference/Welcome.html",
		"tip":  tips[shape],
	}
}
