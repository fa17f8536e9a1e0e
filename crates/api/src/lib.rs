//! Generated gRPC code of the registry and worker APIs
