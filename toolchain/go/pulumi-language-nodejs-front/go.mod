module toolchain/pulumi-language-nodejs-front

go 1.26

require (
	github.com/pulumi/pulumi/sdk/v3 v3.256.0
	google.golang.org/grpc v1.83.0
	google.golang.org/protobuf v1.36.12
)

// As go/pulumi has them, so that nothing more is downloaded.
require (
	golang.org/x/net v0.57.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/text v0.40.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260803160001-6ac0973c030d // indirect
)
