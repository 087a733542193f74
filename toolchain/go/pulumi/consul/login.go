package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/terraform-plugin-sdk/helper/schema"
)

var jwtLogin = fields{
	"auth_method":                           field(text, required),
	"bearer_token":                          field(text),
	"use_terraform_cloud_workload_identity": field(boolean),
	"meta":                                  field(dict, of(text)),
}

var awsLogin = fields{
	"auth_method":                 field(text, required),
	"aws_access_key_id":           field(text),
	"aws_secret_access_key":       field(text, secret),
	"aws_session_token":           field(text, secret),
	"aws_profile":                 field(text),
	"aws_shared_credentials_file": field(text),
	"aws_web_identity_token_file": field(text),
	"aws_role_arn":                field(text),
	"aws_role_session_name":       field(text),
	"aws_region":                  field(text),
	"aws_sts_endpoint":            field(text),
	"aws_iam_endpoint":            field(text),
	"server_id_header_value":      field(text),
	"meta":                        field(dict, of(text)),
	"namespace":                   field(text),
	"partition":                   field(text),
}

// login gets a token from the auth method that the program names; where it names none, there is none.
func login(d *schema.ResourceData, client *api.Client) (string, error) {
	if len(values(d.Get("auth_login_aws"))) > 0 {
		return "", errors.New("authLoginAws needs the official plugin")
	}
	for _, jwt := range blocks(d.Get("auth_jwt")) {
		const identity = "TFC_WORKLOAD_IDENTITY_TOKEN"
		method, bearer := jwt["auth_method"].(string), jwt["bearer_token"].(string)
		if jwt["use_terraform_cloud_workload_identity"].(bool) {
			if bearer = os.Getenv(identity); bearer == "" {
				return "", fmt.Errorf("auth_jwt.use_terraform_cloud_workload_identity has been set but no token found in %s environment variable", identity)
			}
		}
		if bearer == "" {
			return "", errors.New("either auth_jwt.bearer_token or auth_jwt.use_terraform_cloud_workload_identity should be set")
		}
		token, _, err := client.ACL().Login(&api.ACLLoginParams{
			AuthMethod:  method,
			BearerToken: bearer,
			Meta:        pairs(jwt["meta"]),
		}, &api.WriteOptions{Datacenter: str(d, "datacenter")})
		if err != nil {
			return "", because(err, "failed to login using JWT auth method %q", method)
		}
		return token.SecretID, nil
	}
	return "", nil
}
