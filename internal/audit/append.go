package audit

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// append adds the event as one line, as encoding/json writes it. A pull waits
// for it, so it is spelled out: with reflection it takes three times as long.
func (e *Event) append(b []byte) ([]byte, error) {
	b = textMember(b, `{"eventVersion":`, e.Version)
	b, err := e.Identity.append(append(b, `,"userIdentity":`...))
	if err != nil {
		return nil, err
	}
	b, err = e.Time.AppendText(append(b, `,"eventTime":"`...))
	if err != nil {
		return nil, err
	}
	b = textMember(b, `","eventSource":`, e.Source)
	b = textMember(b, `,"eventName":`, e.Name)
	b = textMember(b, `,"awsRegion":`, e.Region)
	b = textMember(b, `,"sourceIPAddress":`, e.SourceIP)
	b = textMember(b, `,"userAgent":`, e.UserAgent)
	b = optional(b, `,"errorCode":`, e.ErrorCode)
	b = optional(b, `,"errorMessage":`, e.ErrorMessage)
	if b, err = element(b, `,"requestParameters":`, e.RequestParameters); err != nil {
		return nil, err
	}
	if b, err = element(b, `,"responseElements":`, e.ResponseElements); err != nil {
		return nil, err
	}
	b = textMember(b, `,"requestID":`, e.RequestID)
	b = textMember(b, `,"eventID":`, e.ID)
	b = strconv.AppendBool(append(b, `,"readOnly":`...), e.ReadOnly)
	for i, r := range e.Resources {
		if i == 0 {
			b = append(b, `,"resources":[{`...)
		} else {
			b = append(b, `,{`...)
		}
		if r.AccountID != "" {
			b = append(textMember(b, `"accountId":`, r.AccountID), ',')
		}
		if r.Type != "" {
			b = append(textMember(b, `"type":`, r.Type), ',')
		}
		b = append(textMember(b, `"ARN":`, r.ARN), '}')
	}
	if len(e.Resources) > 0 {
		b = append(b, ']')
	}
	b = textMember(b, `,"eventType":`, e.Type)
	b = strconv.AppendBool(append(b, `,"managementEvent":`...), e.ManagementEvent)
	b = textMember(b, `,"recipientAccountId":`, e.RecipientAccountID)
	if len(e.ServiceDetails) > 0 {
		if b, err = element(b, `,"serviceEventDetails":`, e.ServiceDetails); err != nil {
			return nil, err
		}
	}
	b = textMember(b, `,"eventCategory":`, e.Category)
	return append(b, '}', '\n'), nil
}

func (i *Identity) append(b []byte) ([]byte, error) {
	b = textMember(b, `{"type":`, i.Type)
	b = textMember(b, `,"principalId":`, i.PrincipalID)
	b = optional(b, `,"arn":`, i.ARN)
	b = optional(b, `,"accountId":`, i.AccountID)
	b = optional(b, `,"accessKeyId":`, i.AccessKeyID)
	b = optional(b, `,"userName":`, i.UserName)
	if i.SessionContext != nil {
		text, err := marshal(i.SessionContext)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"sessionContext":`...), text...)
	}
	b = optional(b, `,"invokedBy":`, i.InvokedBy)
	return append(b, '}'), nil
}

// textMember adds a text after its key.
func textMember(b []byte, key, text string) []byte {
	b = append(b, key...)
	if !unescaped(text) {
		escaped, _ := marshal(text) // a text has JSON
		return append(b, escaped...)
	}
	return append(append(append(b, '"'), text...), '"')
}

func optional(b []byte, key, text string) []byte {
	if text == "" {
		return b
	}
	return textMember(b, key, text)
}

// Object is a JSON object of texts, in their order, for the parameters of an
// event.
func Object(pairs ...[2]string) json.RawMessage {
	b := append(make([]byte, 0, 160), '{')
	for i, p := range pairs {
		if i > 0 {
			b = append(b, ',')
		}
		b = textMember(b, "", p[0])
		b = textMember(b, ":", p[1])
	}
	return append(b, '}')
}

// element adds JSON of the caller's, without white space: it is to stay on the
// line.
func element(b []byte, key string, raw json.RawMessage) ([]byte, error) {
	b = append(b, key...)
	if raw == nil {
		return append(b, "null"...), nil
	}
	to := bytes.NewBuffer(b)
	if err := json.Compact(to, raw); err != nil {
		return nil, err
	}
	return to.Bytes(), nil
}

// unescaped reports whether JSON writes a text as it is.
func unescaped(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// marshal is JSON without the escapes that are for HTML.
func marshal(v any) ([]byte, error) {
	var to bytes.Buffer
	enc := json.NewEncoder(&to)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(to.Bytes(), []byte("\n")), nil
}
