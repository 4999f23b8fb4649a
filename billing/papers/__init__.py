"""What is printed: documents, statements and letters as PDF/A, from frozen data, by templates that an operator can change."""
