"""Requests and answers between the forms of other protocols and the common one, which is a chat."""
