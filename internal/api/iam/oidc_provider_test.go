package iam_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	issuer     = "https://token.actions.example.com"
	thumbprint = "6938FD4D98BAB03FAADB97B34396831E3780AEA1"
)

func (w *world) provider(url string, clients ...string) (*string, error) {
	out, err := w.CreateOpenIDConnectProvider(w.ctx, &sdk.CreateOpenIDConnectProviderInput{Url: &url, ClientIDList: clients})
	if err != nil {
		return nil, err
	}
	return out.OpenIDConnectProviderArn, nil
}

func TestAProviderIsMadeReadChangedAndDeleted(t *testing.T) {
	w := newWorld(t)
	made := must2[*sdk.CreateOpenIDConnectProviderOutput](t)(w.CreateOpenIDConnectProvider(w.ctx, &sdk.CreateOpenIDConnectProviderInput{
		Url: aws.String(issuer), ClientIDList: []string{"sts.amazonaws.com", "sts.amazonaws.com"}, ThumbprintList: []string{thumbprint},
		Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	}))
	arn := made.OpenIDConnectProviderArn
	if *arn != "arn:aws:iam::123456789012:oidc-provider/token.actions.example.com" || len(made.Tags) != 1 {
		t.Errorf("made %s, %+v", *arn, made.Tags)
	}
	read := func() *sdk.GetOpenIDConnectProviderOutput {
		t.Helper()
		return must2[*sdk.GetOpenIDConnectProviderOutput](t)(w.GetOpenIDConnectProvider(w.ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
	}
	got := read()
	if *got.Url != "token.actions.example.com" || !got.CreateDate.Equal(instant) || !slices.Equal(got.ClientIDList, []string{"sts.amazonaws.com"}) ||
		!slices.Equal(got.ThumbprintList, []string{strings.ToLower(thumbprint)}) || len(got.Tags) != 1 || *got.Tags[0].Value != "v" {
		t.Errorf("read %+v", got)
	}

	for range 2 { // again is no error
		must2[*sdk.AddClientIDToOpenIDConnectProviderOutput](t)(w.AddClientIDToOpenIDConnectProvider(w.ctx, &sdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("kube")}))
	}
	for range 2 {
		must2[*sdk.RemoveClientIDFromOpenIDConnectProviderOutput](t)(w.RemoveClientIDFromOpenIDConnectProvider(w.ctx, &sdk.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("sts.amazonaws.com")}))
	}
	must2[*sdk.UpdateOpenIDConnectProviderThumbprintOutput](t)(w.UpdateOpenIDConnectProviderThumbprint(w.ctx, &sdk.UpdateOpenIDConnectProviderThumbprintInput{
		OpenIDConnectProviderArn: arn, ThumbprintList: []string{strings.Repeat("a", 40), strings.Repeat("b", 40)},
	}))
	if got := read(); !slices.Equal(got.ClientIDList, []string{"kube"}) || len(got.ThumbprintList) != 2 {
		t.Errorf("changed to %+v", got)
	}

	other, err := w.provider("https://a.example.com/id/1")
	w.must(err)
	var listed []string
	for _, p := range must2[*sdk.ListOpenIDConnectProvidersOutput](t)(w.ListOpenIDConnectProviders(w.ctx, &sdk.ListOpenIDConnectProvidersInput{})).OpenIDConnectProviderList {
		listed = append(listed, *p.Arn)
	}
	if !slices.Equal(listed, []string{*other, *arn}) {
		t.Errorf("listed are %v", listed)
	}
	must2[*sdk.DeleteOpenIDConnectProviderOutput](t)(w.DeleteOpenIDConnectProvider(w.ctx, &sdk.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
	_, err = w.GetOpenIDConnectProvider(w.ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
	wantRefusal(t, err, "NoSuchEntity", "OpenIDConnect Provider not found for arn "+*arn)
	again, err := w.provider(issuer)
	w.must(err)
	if got := must2[*sdk.GetOpenIDConnectProviderOutput](t)(w.GetOpenIDConnectProvider(w.ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: again})); len(got.Tags)+len(got.ClientIDList) != 0 {
		t.Errorf("made anew it is the old one: %+v", got)
	}
}

func TestURLsOfProviders(t *testing.T) {
	w := newWorld(t)
	for _, url := range []string{
		"https://oidc.eks.eu-west-1.example.com/id/ABC", "https://tenant.example.com/", "https://k8s.corp:6443", "https://k8s.corp:6443/x",
		"http://127.0.0.1:8080", "http://localhost:8080/realms/a",
	} {
		arn, err := w.provider(url)
		w.must(err)
		_, host, _ := strings.Cut(url, "://")
		if *arn != name.ProviderARN(account, host) {
			t.Errorf("%s is %s", url, *arn)
		}
		must2[*sdk.GetOpenIDConnectProviderOutput](t)(w.GetOpenIDConnectProvider(w.ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
		_, err = w.provider(url)
		wantRefusal(t, err, "EntityAlreadyExists", "Provider with url "+url+" already exists.")
	}
	for _, url := range []string{
		"http://issuer.example.com", "ftp://issuer.example.com", "issuer.example.com", "https://", "https://u:p@issuer.example.com",
		"https://issuer.example.com?x=1", "https://issuer.example.com/?", "https://issuer.example.com#x", "https://issuer.example.com/a b",
		"https://issuer.example.com/*", "http://10.0.0.1", "http://127.0.0.1.example.com", "https://a\nb", "HTTPS://issuer.example.com",
	} {
		_, err := w.provider(url)
		wantRefusal(t, err, "InvalidInput", "Invalid Open ID Connect Provider URL")
	}
}

func TestWhatIsRefusedOfProviders(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.Providers, l.ClientIDs = 1, 2 })
	create := func(edit func(*sdk.CreateOpenIDConnectProviderInput)) error {
		in := &sdk.CreateOpenIDConnectProviderInput{Url: aws.String(issuer)}
		edit(in)
		_, err := w.CreateOpenIDConnectProvider(w.ctx, in)
		return err
	}
	wantRefusal(t, create(func(in *sdk.CreateOpenIDConnectProviderInput) { in.ClientIDList = []string{"a", "b", "c"} }),
		"LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 2")
	wantRefusal(t, create(func(in *sdk.CreateOpenIDConnectProviderInput) {
		for i := range 6 {
			in.ThumbprintList = append(in.ThumbprintList, fmt.Sprintf("%040d", i))
		}
	}), "InvalidInput", "Thumbprint list must contain at most 5 entries.")
	wantRefusal(t, create(func(in *sdk.CreateOpenIDConnectProviderInput) { in.ThumbprintList = []string{strings.Repeat("x", 40)} }),
		"InvalidInput", "A thumbprint must have 40 hexadecimal digits.")
	wantRefusal(t, create(func(in *sdk.CreateOpenIDConnectProviderInput) {
		in.Tags = []types.Tag{{Key: aws.String("aws:k"), Value: aws.String("")}}
	}), "InvalidInput", "Tag keys that start with aws: are reserved for AWS use.")

	arn, err := w.provider(issuer, "a", "b")
	w.must(err)
	_, err = w.provider("https://other.example.com")
	wantRefusal(t, err, "LimitExceeded", "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 1")
	_, err = w.AddClientIDToOpenIDConnectProvider(w.ctx, &sdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("c")})
	wantRefusal(t, err, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 2")
	_, err = w.UpdateOpenIDConnectProviderThumbprint(w.ctx, &sdk.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: []string{strings.Repeat("x", 40)}})
	wantRefusal(t, err, "InvalidInput", "A thumbprint must have 40 hexadecimal digits.")

	operations := map[string]func(arn *string) error{
		"iam:GetOpenIDConnectProvider": func(arn *string) error {
			_, err := w.GetOpenIDConnectProvider(w.ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
			return err
		},
		"iam:DeleteOpenIDConnectProvider": func(arn *string) error {
			_, err := w.DeleteOpenIDConnectProvider(w.ctx, &sdk.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
			return err
		},
		"iam:AddClientIDToOpenIDConnectProvider": func(arn *string) error {
			_, err := w.AddClientIDToOpenIDConnectProvider(w.ctx, &sdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("c")})
			return err
		},
		"iam:RemoveClientIDFromOpenIDConnectProvider": func(arn *string) error {
			_, err := w.RemoveClientIDFromOpenIDConnectProvider(w.ctx, &sdk.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("c")})
			return err
		},
		"iam:UpdateOpenIDConnectProviderThumbprint": func(arn *string) error {
			_, err := w.UpdateOpenIDConnectProviderThumbprint(w.ctx, &sdk.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: []string{thumbprint}})
			return err
		},
	}
	for action, do := range operations {
		absent := name.ProviderARN(account, "absent.example.com")
		wantRefusal(t, do(&absent), "NoSuchEntity", "OpenIDConnect Provider not found for arn "+absent)
		theirs := name.ProviderARN(foreign, "token.actions.example.com")
		wantRefusal(t, do(&theirs), "AccessDenied", "User: arn:aws:iam::123456789012:root is not authorized to perform: "+action+" on resource: "+theirs)
		for _, bad := range []string{"arn:aws:iam::123456789012:role/r", "arn:aws:iam:eu-west-1:123456789012:oidc-provider/x", "arn:aws:iam::aws:oidc-provider/x.example.com"} {
			wantRefusal(t, do(&bad), "InvalidInput", "ARN "+bad+" is not valid.")
		}
	}
}
