"""What tests of several rooms share: servers that speak a provider's wire format, stores with known contents."""
