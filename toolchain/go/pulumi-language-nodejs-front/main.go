// pulumi-language-nodejs stands in front of the genuine Node.js language host of an older release: it runs plugins
// written for Node.js, such as policy packs, which that one can't, and passes all other calls on as they are.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// As the CLI and the genuine host have it.
const maxMessageBytes = 400 << 20

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "no port for the language host:", err)
		os.Exit(1)
	}
	genuine := &host{args: os.Args[1:]}
	server := grpc.NewServer(
		grpc.ForceServerCodec(bytesCodec{}),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			if method, _ := grpc.MethodFromServerStream(stream); method != pulumirpc.LanguageRuntime_RunPlugin_FullMethodName {
				return genuine.pass(method, stream)
			}
			return runPlugin(stream)
		}),
	)
	go stopOnSignal(genuine)
	if len(os.Args) > 1 {
		go stopWithEngine(os.Args[len(os.Args)-1])
	}

	// The CLI reads the port from the first line.
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, "the language host stopped:", err)
		os.Exit(1)
	}
}

func stopOnSignal(genuine *host) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	genuine.stop()
	os.Exit(0)
}

// stopWithEngine ends this process, and what it started with it, when the engine at address is gone, as after a kill.
func stopWithEngine(address string) {
	engine, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithIdleTimeout(0))
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	engine.Connect()
	for state := engine.GetState(); state != connectivity.Ready; state = engine.GetState() {
		// What never answered is no engine that can be missed.
		if !engine.WaitForStateChange(ctx, state) {
			cancel()
			return
		}
	}
	cancel()
	engine.WaitForStateChange(context.Background(), connectivity.Ready)
	os.Exit(0)
}
