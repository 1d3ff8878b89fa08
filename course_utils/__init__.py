"""The small package behind the course: what a lecture shows once and every notebook then imports."""
