"""What a review is written down as: for people, for a pull request, for CI."""
