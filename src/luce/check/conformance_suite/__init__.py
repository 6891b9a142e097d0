"""The conformance suite: which promises of the contract an implementation keeps."""
