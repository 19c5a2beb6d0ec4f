"""Tests of every layer; what several of them use lies here, the tests in the folders below."""
