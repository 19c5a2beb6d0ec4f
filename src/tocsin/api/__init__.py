"""The machine door for programs: deliveries in, answers out, described by OpenAPI under /api/v1/docs."""
