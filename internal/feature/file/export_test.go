package file

// What package file_test looks at by itself.

func FileName(name string) (string, error) { return fileName(name) }

func Disposition(how, name string) string { return disposition(how, name) }
