package imapfetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"guichet/store"
)

const (
	tokenTimeout = 30 * time.Second
	maxToken     = 64 << 10 // bytes of an answer
	// tokenSpare is how long before its end a token is not used any more.
	tokenSpare = time.Minute
	// tokenDefault is how long a token holds whose endpoint does not say.
	tokenDefault = 5 * time.Minute
)

// TokenSource makes access tokens at an OAuth2 token endpoint: with a refresh
// token (RFC 6749 §6) if it has one, or with the client's own credentials
// (§4.4). It is used by any number of goroutines.
type TokenSource struct {
	URL      string
	ClientID string
	// SecretFile holds the client's secret; "" for a public client.
	SecretFile string
	// RefreshFile holds the refresh token. An endpoint that changes it with each
	// use has its new one written there.
	RefreshFile string
	Scope       string // blank-separated; "" asks for none
	Now         func() time.Time
	Client      *http.Client // nil means http.DefaultClient's transport

	mu      sync.Mutex // held while the endpoint is asked
	token   string
	until   time.Time
	refresh string // newer than the file, which could not be written
}

// Token returns a token that holds for a minute at least. fresh asks for a new
// one even if there is one: the server has refused it.
func (s *TokenSource) Token(ctx context.Context, fresh bool) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !fresh && s.token != "" && s.Now().Add(tokenSpare).Before(s.until) {
		return s.token, nil
	}
	form, err := s.form()
	if err != nil {
		return "", err
	}
	answer, err := s.ask(ctx, form)
	if err != nil {
		return "", fmt.Errorf("token endpoint: %w", err)
	}
	holds := time.Duration(answer.ExpiresIn) * time.Second
	if holds <= 0 {
		holds = tokenDefault
	}
	s.token, s.until = answer.AccessToken, s.Now().Add(holds)
	if answer.RefreshToken != "" && answer.RefreshToken != form.Get("refresh_token") && s.RefreshFile != "" {
		s.refresh = answer.RefreshToken
		if err := replaceFile(s.RefreshFile, s.refresh+"\n"); err != nil {
			// The old one may be void: what we have must not be lost in silence.
			return s.token, fmt.Errorf("%w: %w", ErrRefreshNotKept, err)
		}
		s.refresh = ""
	}
	return s.token, nil
}

// ErrRefreshNotKept comes with a good token: the endpoint gave a new refresh
// token that could not be written to its file, and holds until the end of the
// process only.
var ErrRefreshNotKept = errors.New("the new refresh token could not be kept")

func (s *TokenSource) form() (url.Values, error) {
	form := url.Values{"client_id": {s.ClientID}, "grant_type": {"client_credentials"}}
	if s.Scope != "" {
		form.Set("scope", s.Scope)
	}
	if s.SecretFile != "" {
		secret, err := ReadSecret(s.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("client secret: %w", err)
		}
		form.Set("client_secret", secret)
	}
	if s.RefreshFile != "" {
		token := s.refresh
		if token == "" {
			var err error
			if token, err = ReadSecret(s.RefreshFile); err != nil {
				return nil, fmt.Errorf("refresh token: %w", err)
			}
		}
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", token)
	}
	return form, nil
}

// tokenAnswer is what an endpoint says (RFC 6749 §5).
type tokenAnswer struct {
	AccessToken  string  `json:"access_token"`
	RefreshToken string  `json:"refresh_token"`
	ExpiresIn    seconds `json:"expires_in"`
	Error        string  `json:"error"`
	Description  string  `json:"error_description"`
}

// seconds is a number, which some endpoints write as a string.
type seconds int64

func (s *seconds) UnmarshalJSON(b []byte) error {
	n, err := json.Number(strings.Trim(string(b), `"`)).Int64()
	if err == nil && n > 0 && n < 1<<31 {
		*s = seconds(n)
	}
	return nil
}

// ask sends a request. Its error shows what the endpoint says of it, and no
// secret.
func (s *TokenSource) ask(ctx context.Context, form url.Values) (a tokenAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return a, errors.New("its address cannot be used")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the secret goes where the configuration says
	}}
	if s.Client != nil {
		client.Transport = s.Client.Transport
	}
	resp, err := client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fmt.Errorf("answers %s and no JSON", resp.Status)
	}
	switch {
	case a.Error != "":
		return a, fmt.Errorf("says %s: %s", shown(a.Error), shown(a.Description))
	case resp.StatusCode != http.StatusOK || a.AccessToken == "":
		return a, fmt.Errorf("answers %s and no token", resp.Status)
	case strings.ContainsFunc(a.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }):
		return a, errors.New("gives a token that cannot be sent") // RFC 6750 §2.1
	}
	return a, nil
}

// ReadSecret reads the first line of a file.
func ReadSecret(name string) (string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimRight(line, "\r")
	if line == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return line, nil
}

// replaceFile writes a secret in the place of a file, whole or not at all.
func replaceFile(name, text string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return store.SyncDir(filepath.Dir(name)) // the old one may be void
}
