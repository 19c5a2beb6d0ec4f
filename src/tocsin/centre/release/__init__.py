"""What leaves the Centre: releases by two people or under an order that two signed; country packages."""
