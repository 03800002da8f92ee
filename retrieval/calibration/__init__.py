"""What scores mean in one library: neutral anchor texts, and the scales that they give its pictures and texts."""
