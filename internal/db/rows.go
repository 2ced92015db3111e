package db

// Each runs fn for every row of a query, and ends with its first error.
func Each(tx Tx, fn func(r Rows) error, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Column reads a query of one column; nil when it finds nothing.
func Column[T any](tx Tx, query string, args ...any) (out []T, err error) {
	err = Each(tx, func(r Rows) error {
		var v T
		err := r.Scan(&v)
		out = append(out, v)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return out, nil
}
